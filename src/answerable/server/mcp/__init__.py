"""Parse MCP messages strictly, for all servers."""
