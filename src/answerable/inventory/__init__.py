"""Join the sightings of all sources into an inventory, with an owner for each entity.

`join` merges the facts of all sources; `resolve` finds an id by user input. The package
is pure: time is an argument.
"""

from answerable.inventory.resolve import resolve
from answerable.inventory.sync_join import join, reassess_owners

__all__ = ["join", "reassess_owners", "resolve"]
