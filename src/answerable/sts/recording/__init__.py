"""Attempts on their way to the spool: each one a record, floods counted."""
