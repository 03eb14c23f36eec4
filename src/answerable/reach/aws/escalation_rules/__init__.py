"""Data tables of AWS privilege escalation rules. Start at `registry`."""
