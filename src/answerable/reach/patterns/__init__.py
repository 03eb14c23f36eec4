"""Texts with wildcards, and sets of what they match."""
