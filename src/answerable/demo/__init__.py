"""Sample office of the demo: an MCP server over SQLite, and a scripted agent.

Both represent third-party programs. They import nothing else of this package, and are
started by name.
"""
