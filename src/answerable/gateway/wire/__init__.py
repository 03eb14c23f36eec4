"""Pure parsers and writers of HTTP, JSON-RPC, MCP and server-sent events."""
