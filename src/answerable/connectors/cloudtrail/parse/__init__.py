"""CloudTrail bytes to audit events; pure."""
