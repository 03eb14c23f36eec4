"""Glob and ARN patterns, and set operations on them."""
