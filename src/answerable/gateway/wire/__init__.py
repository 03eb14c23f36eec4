"""Parse and write HTTP, JSON-RPC, MCP and server-sent events. Pure."""
