"""MCP messages as every door reads them: one way, or not at all."""
