"""Classify condition keys by who sets their value. Start at `classification`."""
