"""MCP over standard streams: wrapper for a client, and servers by command."""
