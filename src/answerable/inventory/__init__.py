"""Inventory: sightings joined into entities, each with an owner or the reason for none.

`join` merges the facts of all sources; `resolve` finds an id by user input. The package
is pure: time is an argument.
"""

from answerable.inventory.resolve import resolve
from answerable.inventory.sync_join import join, reassess_owners

__all__ = ["join", "reassess_owners", "resolve"]
