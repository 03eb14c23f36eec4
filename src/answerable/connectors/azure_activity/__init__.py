"""Azure activity connector: reads log records as audit events."""
