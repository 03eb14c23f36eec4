"""Save a large inventory that is joined part by part, so that none is in memory whole."""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from answerable.inventory.lazy_ownership import SubjectEvidence
from answerable.inventory.name_resolution import (
    ENTITY_KINDS,
    build_entity_name_table,
)
from answerable.inventory.person_directory import PersonDirectory
from answerable.inventory.sync_merge import MERGE_KEYS
from answerable.model.inventory import Inventory, NameEntry
from answerable.model.sighting import SightedFacts
from answerable.store.inventory_cache import (
    encode_facts,
    encode_heading,
    sort_items_by_key,
)
from answerable.store.stored_facts import KEYED_BY_ID, KINDS
from answerable.store.table_runs import TableRuns


def _format_key(get_key: Callable[[Any], object], fact: object) -> str:
    """Format the key under which a fact is merged."""
    return repr(get_key(fact))


_Sections = Mapping[str, Iterable[tuple[str, object]]]
_BY_KEY = ("agents", "credentials", "principals", "owners", "own_owners")
# Texts that order the facts of kinds which several parts may have.
_ORDER_KEYS: Mapping[str, Callable[[Any], str]] = {
    **{
        name: partial(_format_key, get_key)
        for name, get_key in MERGE_KEYS.items()
        if name not in KEYED_BY_ID
    },
    "agents": lambda agent: agent.id,
    "evidence": repr,
}
# Kinds whose entities are listed by id; all others are in one part.
_LISTED_BY_ID = ("agent", "identity", "credential")


class InventoryParts:
    """Parts of an inventory; a fact, a subject and an entity is in one of them."""

    def __init__(self, runs: TableRuns, write: Callable[[_Sections], None]) -> None:
        """Begin without parts.

        Args:
            runs: Receives the rows of the parts.
            write: Writes the sections of the whole inventory.
        """
        self._runs, self._write = runs, write

    def add(
        self,
        merged: Inventory,
        records: Mapping[str, SubjectEvidence],
        own_records: Mapping[str, SubjectEvidence],
    ) -> None:
        """Write a part.

        Args:
            merged: The part, without persons and owners.
            records: Evidence by subject.
            own_records: Evidence that is not inherited, see `OwnershipRecords`.
        """
        names = build_entity_name_table(merged)
        self._runs.add(
            {
                **encode_facts(merged.facts),
                **{
                    f"facts.{name}": _pair_rows_with_order_keys(merged.facts, name)
                    for name in _ORDER_KEYS
                },
                "agents": sort_items_by_key(merged.agents),
                "credentials": sort_items_by_key(merged.credentials),
                "owners": sort_items_by_key(records),
                "own_owners": sort_items_by_key(own_records),
                "names": sort_items_by_key(names.entries),
                "principals": sort_items_by_key(names.principals),
            }
        )

    def save(self, whole: Inventory, people: PersonDirectory) -> None:
        """Save the whole inventory.

        Args:
            whole: The inventory without what its parts have.
            people: Its persons.
        """
        runs = self._runs
        names = build_entity_name_table(replace(whole, persons=people.by_id))
        runs.add({"names": sort_items_by_key(names.entries)})
        facts = {}
        for name in KINDS:
            rows = runs.merge(f"facts.{name}")
            facts[f"facts.{name}"] = rows if name in KEYED_BY_ID else _number_rows(rows)
        others = encode_facts(SightedFacts()).keys() - facts.keys()
        self._write(
            {
                "heading": encode_heading(whole),
                **facts,
                **{name: runs.merge(name) for name in (*others, *_BY_KEY)},
                "persons": sort_items_by_key(people.by_id),
                "handles": sort_items_by_key(people.handles),
                "names": runs.combine("names", tuple[NameEntry, ...], _join_names),
            }
        )


def _pair_rows_with_order_keys(
    facts: SightedFacts, name: str
) -> Iterator[tuple[str, object]]:
    """Pair facts of one kind with keys that sort as all such facts are sorted."""
    get_key = _ORDER_KEYS[name]
    for number, fact in enumerate(getattr(facts, name)):
        yield f"{get_key(fact)}\0{number:09}", fact


def _number_rows(rows: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    """Replace the keys of rows by their numbers."""
    return ((f"{number:09}", row) for number, (_, row) in enumerate(rows))


def _join_names(rows: list[tuple[NameEntry, ...]]) -> tuple[NameEntry, ...]:
    """Join the entities of one name in the order of the whole inventory."""
    entries = dict.fromkeys(entry for row in rows for entry in row)
    return tuple(sorted(entries, key=_get_name_sort_key)) if len(rows) > 1 else rows[0]


def _get_name_sort_key(entry: NameEntry) -> tuple[int, bool, str]:
    """Return the sort key of an entity's name: by kind, ids first, then by id."""
    kind, key, spelling = entry
    listed = key if kind in _LISTED_BY_ID else ""
    return ENTITY_KINDS.index(kind), bool(spelling), listed
