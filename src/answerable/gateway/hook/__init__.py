"""Hook for coding agents whose built-in tools do not use MCP."""
