"""Privilege escalation rules, as data with sources. Start at `registry`."""
