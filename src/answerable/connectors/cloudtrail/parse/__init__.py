"""Pure parser from CloudTrail bytes to audit events."""
