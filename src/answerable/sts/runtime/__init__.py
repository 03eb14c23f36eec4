"""Assemble, start, reload and stop the process of the token service."""
