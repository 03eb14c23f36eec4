"""Govern the identities that AI agents act through."""
