"""MCP over standard streams: in front of a client, and behind the gateway."""
