"""Signing keys: on disk for this user alone, and in use for a day each."""
