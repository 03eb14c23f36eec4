"""Connectors: one folder per foreign system, one line each in `table.py`."""
