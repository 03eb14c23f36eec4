"""Declare the Claude Code session connector: its name, location and record source."""

from answerable.model.connector import ConnectorDeclaration
from answerable.model.provenance import WrittenBy

DECLARATION = ConnectorDeclaration(
    name="claude-code",
    gives="events",
    location="FILE, DIR or -",
    about="tool calls in session files of Claude Code, without prompts and content",
    written_by=WrittenBy.SELF_REPORTED,
    reads=("*.jsonl, plain, .gz or .zst: session files in ~/.claude/projects",),
    permissions=(),
    collects=("claude-code",),
)
