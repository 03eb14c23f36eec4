"""Signing keys: stored encrypted on disk, rotated daily."""
