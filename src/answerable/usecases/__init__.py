"""Use cases: one module per operation that a command or a server route calls."""
