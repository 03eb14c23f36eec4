"""Store the pins of MCP tool definitions in files, and enforce them at a gateway."""
