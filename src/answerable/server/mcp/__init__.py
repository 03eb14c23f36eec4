"""Strict parsers for MCP messages, shared by all servers."""
