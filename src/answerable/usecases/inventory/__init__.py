"""Use cases of the inventory: scan, lists, ownership."""
