"""Comparison with tools of others on the same fixtures (`make compare`)."""
