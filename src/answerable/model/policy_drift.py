"""Differences between permissions in force and a signed profile."""

BEYOND = "beyond-signed"  # in force, but not signed
MISSING = "missing"  # signed, but not in force
NOT_KNOWN = "not-known"

PermissionDrift = tuple[str, str, str]  # kind, action, resource
