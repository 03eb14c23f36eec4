"""Condition keys: who writes each, and who may set a tag. Start at `keys`."""
