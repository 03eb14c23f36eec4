"""Credentials for servers in place of the caller's token, and their leak filter."""
