"""MCP gateway: authorizes and records tool calls, and forwards them to servers."""
