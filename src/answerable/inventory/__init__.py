"""Inventory: sightings become entities, and each has an owner or says why not.

`join` merges what every source saw; `resolve` finds what a user named. Nothing here
touches the world: time is an argument.
"""

from answerable.inventory.joining import aged, join
from answerable.inventory.resolve import resolve

__all__ = ["aged", "join", "resolve"]
