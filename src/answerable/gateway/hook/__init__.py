"""The door for coding agents whose own tools never cross MCP: a hook that asks."""
