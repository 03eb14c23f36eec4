"""A small office for the demo: an MCP server over SQLite, and an agent that works there.

Both stand for programs of other people. They import nothing of ours and nobody imports
them; the demo starts them by name.
"""
