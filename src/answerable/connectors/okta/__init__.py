"""Okta connector: reads log records as audit events."""
