"""Permissions of a principal, as rows of patterns. Start at `principal_rows`."""
