"""The door that agents call tools through: MCP in, one flow call, MCP out."""
