"""Serve AuthZEN over HTTP to enforcement points."""
