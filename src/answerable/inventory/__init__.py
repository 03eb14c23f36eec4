"""Join the sightings of all sources into an inventory, with an owner for each entity.

`join_syncs_into_inventory` merges the facts of all sources; `resolve_entity_by_name` finds an id by user input. The package
is pure: time is an argument.
"""

from answerable.inventory.name_resolution import resolve_entity_by_name
from answerable.inventory.sync_join import (
    assess_owners_at_time,
    join_syncs_into_inventory,
)

__all__ = [
    "assess_owners_at_time",
    "join_syncs_into_inventory",
    "resolve_entity_by_name",
]
