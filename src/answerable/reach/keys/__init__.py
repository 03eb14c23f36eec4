"""Condition keys: the author of each value, and tag setters. Start at `keys`."""
