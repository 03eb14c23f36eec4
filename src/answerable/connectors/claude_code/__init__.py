"""Claude Code connector: reads tool calls of session files as self-reported events."""
