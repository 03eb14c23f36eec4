"""Group the identities of a snapshot by their permission platform, once for all."""

from collections.abc import Callable, Mapping, Sequence

from answerable.model.identity import Identity
from answerable.model.inventory import DerivedTables, Inventory
from answerable.reach.lazy_tables import LazySequence, encode_number_key

_STORED, _COUNTS = "platform_identities", "counts"
IdentityGroups = Mapping[str, Sequence[Identity]]


def group_identities_by_platform(
    inventory: Inventory, find_name: Callable[[Identity], str]
) -> IdentityGroups:
    """Group the identities by the name of their platform; empty for none.

    The ids are stored, so that a question reads only the identities that it needs.

    Args:
        find_name: Finds the name of the platform of an identity.
    """

    def group(given: Inventory) -> IdentityGroups:
        stored = given.derived.load(_STORED) if given.derived else None
        if stored is not None:
            return _restore_groups(stored, given)
        found: dict[str, list[Identity]] = {}
        for fact in given.facts.identities:
            found.setdefault(find_name(fact), []).append(fact)
        if given.derived:
            given.derived.save(_STORED, _encode_groups(found))
        return found

    return inventory.get_or_compute_value("identities by platform", group)


def _encode_groups(groups: IdentityGroups) -> dict[str, list[tuple[str, object]]]:
    """Encode the number of identities of each platform, and their ids in order."""
    tables: dict[str, list[tuple[str, object]]] = {
        f"ids {name}": [
            (encode_number_key(number), each.id) for number, each in enumerate(facts)
        ]
        for name, facts in groups.items()
    }
    return {
        _COUNTS: [(name, len(groups[name])) for name in sorted(groups)],
        **tables,
    }


def _restore_groups(stored: DerivedTables, inventory: Inventory) -> IdentityGroups:
    """Restore groups whose identities are read on use."""

    def restore(name: str, count: int) -> Sequence[Identity]:
        ids = stored.section(f"ids {name}", str)

        def read(number: int) -> Identity:
            return inventory.facts.identities_by_id()[ids[encode_number_key(number)]]

        return LazySequence(count, read)

    counts = stored.section(_COUNTS, int)
    return {name: restore(name, count) for name, count in counts.items()}
