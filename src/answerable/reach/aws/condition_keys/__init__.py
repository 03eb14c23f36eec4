"""Condition keys: authors of values, and tag setters. Start at `classification`."""
