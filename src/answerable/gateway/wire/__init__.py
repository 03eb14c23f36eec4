"""What a request is, before any socket: pure readers of HTTP, JSON-RPC, MCP and SSE."""
