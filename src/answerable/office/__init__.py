"""Sample office of the demo: an MCP server over SQLite, and a scripted agent.

Both stand for programs of other people. They import nothing of ours and nobody imports
them; the demo starts them by name.
"""
