"""Classify condition keys by who sets their value. Start at `key_classification`."""
