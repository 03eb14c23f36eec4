"""Google Cloud audit connector: reads log records as audit events."""
