"""Connector of role definitions of Google Cloud, and the packaged role catalogue."""
