"""Serve MCP clients over HTTP, and connect to upstream servers over HTTP."""
