"""Anthropic activity connector: reads log records as audit events."""
