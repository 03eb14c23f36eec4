"""Persistent state of the token service, in SQLite or PostgreSQL."""
