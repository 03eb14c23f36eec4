"""Parse gateway records line by line into audit events."""
