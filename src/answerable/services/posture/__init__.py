"""Findings of a store's snapshot, as items of the `findings` document."""
