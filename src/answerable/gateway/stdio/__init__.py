"""Serve MCP over stdio: wrapper between client and server, and servers by command."""
