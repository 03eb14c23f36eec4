"""Connectors: read identities or audit events from other systems, one folder each."""
