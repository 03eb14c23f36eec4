"""Shared parts of use cases that read the store, connectors and pure packages."""
