"""Join the sightings of all sources into an inventory, with an owner for each entity.

`join_syncs` merges the facts of all sources; `resolve_entity` finds an id by user input. The package
is pure: time is an argument.
"""

from answerable.inventory.name_resolution import resolve_entity
from answerable.inventory.sync_join import join_syncs, reassess_owners

__all__ = ["join_syncs", "reassess_owners", "resolve_entity"]
