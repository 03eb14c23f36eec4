"""Connector of saved answers of Google Cloud."""
