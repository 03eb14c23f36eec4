"""Cache on disk the inventory that a snapshot and audit logs yield; read it by row.

It is stored in `derived/` under a generation that identifies its input. A file of
another generation, a damaged or a foreign file is derived again; deleting it is
harmless. The files of the newest snapshot become those of the earlier one when a newer
one is stored, for comparisons of the two.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from answerable import __version__
from answerable.inventory.lazy_ownership import LazyOwnership, SubjectEvidence
from answerable.inventory.name_resolution import build_entity_name_table
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.errors import EnvironmentFailure
from answerable.model.identity import Identity
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import (
    AgentEntity,
    CredentialEntity,
    Inventory,
    NameEntry,
    NameTable,
    SourceCoverage,
)
from answerable.model.person import Person
from answerable.model.policy import Policy
from answerable.model.progress import ProgressCallback, ignore_progress_report
from answerable.model.resource import Resource
from answerable.model.sighting import SightedFacts
from answerable.model.user_group import UserGroup
from answerable.store.block_file import (
    BlockFile,
    BlockFileError,
    encode_block_file,
)
from answerable.store.cache_generation import get_erasures
from answerable.store.durable_files import make_store_folder, write_file
from answerable.store.stored_facts import (
    ATTACHMENTS,
    KEYED_BY_ID,
    KINDS,
    StoredFacts,
)

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore
    from answerable.store.table_runs import TableRuns

# Raised when the same input would be joined otherwise.
DERIVATION_VERSION = 10
# Files of one kind that are kept, each for other condition keys that questions stated.
_MAX_FILES_KEPT = 8
# Prefix of the files of one earlier snapshot.
EARLIER = "earlier-"
_INVENTORY = "inventory"
# Files that a comparison with a newer snapshot needs: inventory, policies and paths.
_KEPT_FILES = (_INVENTORY, "estate", "steps")
KeyT = TypeVar("KeyT", bound=str)
_Entries = tuple[NameEntry, ...]


@dataclass(frozen=True, slots=True)
class _InventoryHeader:
    """Header of an inventory: its single values, with its own `judged_at`."""

    at: int
    name: str
    judged_at: int
    coverage: tuple[SourceCoverage, ...]


def load_cached_inventory(
    store: "EvidenceStore", generation: str, now: int, slot: str = ""
) -> Inventory | None:
    """Open the cached inventory of a generation; None if there is none.

    Args:
        store: The store.
        generation: Required generation of its input.
        now: Reference time for the age of evidence, UTC nanoseconds; 0 for its own.
        slot: Prefix of the file; empty for the newest snapshot.

    Returns:
        The inventory, read on use; None where none of this generation is stored.
    """
    try:
        named = _build_generation_tag(generation, _INVENTORY)
        path = _get_cache_file_path(store, f"{slot}{_INVENTORY}")
        file = BlockFile(path, named, _derive_mac_key(store))
    except BlockFileError:
        return None
    heading = file.section("heading", _InventoryHeader)[""]
    people = PersonDirectory.from_merged_persons(
        cast("Mapping[str, PersonId]", file.section("handles", str)),
        cast("Mapping[PersonId, Person]", file.section("persons", Person)),
    )
    judged_at = now or heading.judged_at
    return Inventory(
        at=heading.at,
        name=heading.name,
        facts=StoredFacts(file),
        persons=people.by_id,
        agents=cast(
            "Mapping[AgentId, AgentEntity]", file.section("agents", AgentEntity)
        ),
        credentials=cast(
            "Mapping[CredentialId, CredentialEntity]",
            file.section("credentials", CredentialEntity),
        ),
        owners=LazyOwnership(
            file.section("owners", SubjectEvidence), people, judged_at
        ),
        own_owners=LazyOwnership(
            file.section("own_owners", SubjectEvidence), people, judged_at
        ),
        coverage=heading.coverage,
        judged_at=judged_at,
        names=NameTable(
            file.section("names", _Entries), file.section("principals", str)
        ),
    )


def save_inventory_to_cache(
    store: "EvidenceStore", generation: str, inventory: Inventory, slot: str = ""
) -> None:
    """Save an inventory with audit logs joined, for later queries.

    A disk error is ignored: the inventory is joined again.

    Args:
        store: The store.
        generation: Generation of its input.
        inventory: Joined inventory, evaluated at its own time.
        slot: Prefix of the file; empty for the newest snapshot.
    """
    save_inventory_sections(store, generation, encode_inventory(inventory), slot)


def save_inventory_sections(
    store: "EvidenceStore",
    generation: str,
    sections: Mapping[str, Iterable[tuple[str, object]]],
    slot: str = "",
) -> None:
    """Save the sections of an inventory, see `save_inventory_to_cache`."""
    if not slot:
        _keep_files_of_earlier_snapshot(store)
    data = encode_block_file(
        _build_generation_tag(generation, _INVENTORY), sections, _derive_mac_key(store)
    )
    path = _get_cache_file_path(store, f"{slot}{_INVENTORY}")
    _write_cache_file(store, path, data, generation)


def _keep_files_of_earlier_snapshot(store: "EvidenceStore") -> None:
    """Rename the files of the last snapshot to those of the earlier one."""
    from answerable.store.erasure_guard import lock_derived_files

    for name in _KEPT_FILES:
        with contextlib.suppress(OSError), lock_derived_files(store.layout):
            path = _get_cache_file_path(store, name)
            path.replace(_get_cache_file_path(store, f"{EARLIER}{name}"))


class DerivedFiles:
    """Tables derived from the inventory of one generation, one file per name."""

    def __init__(
        self,
        store: "EvidenceStore",
        generation: str,
        progress: ProgressCallback = ignore_progress_report,
        slot: str = "",
        input_generation: str = "",
    ) -> None:
        """Keep the store, the generation of the input, and a progress callback.

        Args:
            store: The store.
            generation: Generation that a file must have; empty for any.
            progress: Receives the stages of what is derived.
            slot: Prefix of the files; empty for the newest snapshot.
            input_generation: Generation of the input, if it is another one.
        """
        self._store, self.generation, self._slot = store, generation, slot
        self._input_generation = input_generation or generation
        self.progress = progress

    def load(self, name: str) -> BlockFile | None:
        """Open cached tables by name; None if they are missing or outdated."""
        path, key = (
            _get_cache_file_path(self._store, f"{self._slot}{name}"),
            _derive_mac_key(self._store),
        )
        try:
            return BlockFile(path, _build_generation_tag(self.generation, name), key)
        except BlockFileError:
            return None

    def save(
        self, name: str, tables: Mapping[str, Iterable[tuple[str, object]]]
    ) -> None:
        """Cache tables under a name on disk; a disk error is ignored."""
        data = encode_block_file(
            _build_generation_tag(self.generation, name),
            tables,
            _derive_mac_key(self._store),
        )
        path = _get_cache_file_path(self._store, f"{self._slot}{name}")
        _write_cache_file(self._store, path, data, self._input_generation)
        kind, dash, _ = name.partition("-")
        if dash:
            _delete_old_cache_files(
                path.with_name(f"{self._slot}{kind}-*{path.suffix}")
            )

    @contextlib.contextmanager
    def open_runs(self) -> "Iterator[TableRuns]":
        """Open runs of tables that are derived part by part; removed at the end."""
        from answerable.store.table_runs import TableRuns, open_runs_folder

        erasures = get_erasures(self._input_generation)
        with open_runs_folder(self._store, erasures) as (folder, put):
            yield TableRuns(folder, put)


def _delete_old_cache_files(pattern: Path) -> None:
    """Delete all but the newest files that match a pattern."""
    with contextlib.suppress(OSError):
        found = pattern.parent.glob(pattern.name)
        newest = sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in newest[_MAX_FILES_KEPT:]:
            path.unlink()


def _write_cache_file(
    store: "EvidenceStore", path: Path, data: Iterable[bytes], generation: str
) -> None:
    """Write a cache file; a disk error is ignored, and nothing erased is written."""
    from answerable.store.erasure_guard import put_derived_file  # most write none

    with contextlib.suppress(EnvironmentFailure):
        make_store_folder(path.parent)
        with put_derived_file(store.layout, store.log, get_erasures(generation)):
            write_file(path, data, sync=False)


def encode_inventory(
    inventory: Inventory,
) -> Mapping[str, Iterable[tuple[str, object]]]:
    """Encode a joined inventory as the sections of its file, sorted by key."""
    owners, own = inventory.owners, inventory.own_owners
    if not isinstance(owners, LazyOwnership) or not isinstance(own, LazyOwnership):
        raise TypeError("only a joined inventory can be cached")
    names = build_entity_name_table(inventory)
    found: dict[str, Iterable[tuple[str, object]]] = {
        "heading": encode_heading(inventory)
    }
    found |= encode_facts(inventory.facts)
    found["agents"] = sort_items_by_key(inventory.agents)
    found["credentials"] = sort_items_by_key(inventory.credentials)
    found["persons"] = sort_items_by_key(inventory.persons)
    found["handles"] = sort_items_by_key(owners.people.handles)
    found["names"] = sort_items_by_key(names.entries)
    found["principals"] = sort_items_by_key(names.principals)
    found["owners"] = sort_items_by_key(owners.records)
    found["own_owners"] = sort_items_by_key(own.records)
    return found


def encode_heading(inventory: Inventory) -> list[tuple[str, object]]:
    """Encode the single values of an inventory as a section."""
    heading = _InventoryHeader(
        inventory.at, inventory.name, inventory.judged_at, inventory.coverage
    )
    return [("", heading)]


def encode_facts(facts: SightedFacts) -> dict[str, Iterable[tuple[str, object]]]:
    """Encode facts as sections of a block file, see `StoredFacts`."""
    found: dict[str, Iterable[tuple[str, object]]] = {}
    for name in KINDS:
        rows = getattr(facts, name)
        found[f"facts.{name}"] = (
            _pair_rows_with_ids(rows)
            if name in KEYED_BY_ID
            else _pair_rows_with_indexes(rows)
        )
    platforms = facts.list_catalogue_platforms()
    found["facts.catalogues.platforms"] = _pair_rows_with_indexes(platforms)
    found[ATTACHMENTS] = sort_items_by_key(facts.attachments_by_target())
    return found


def _pair_rows_with_ids(
    rows: Iterable[Policy | Identity | Resource | UserGroup],
) -> Iterator[tuple[str, object]]:
    """Yield pairs (id, fact): the rows of a block file section."""
    return ((row.id, row) for row in sorted(rows, key=lambda row: row.id))


def _pair_rows_with_indexes(rows: Iterable[object]) -> Iterator[tuple[str, object]]:
    """Yield rows with their zero-padded index as key."""
    return ((f"{number:09}", row) for number, row in enumerate(rows))


def sort_items_by_key(rows: Mapping[KeyT, object]) -> Iterator[tuple[str, object]]:
    """Yield the items of a mapping sorted by key."""
    return ((key, rows[key]) for key in sorted(rows))


def delete_cache_files(store: "EvidenceStore") -> None:
    """Delete the files of all cached inventories, and what was derived from them.

    Raises:
        EnvironmentFailure: One cannot be deleted.
    """
    from answerable.store.erasure_guard import lock_derived_files
    from answerable.store.segment_files import delete_files

    with lock_derived_files(store.layout, alone=True):
        delete_files(sorted(store.derived.glob(_get_cache_file_path(store, "*").name)))


def _get_cache_file_path(store: "EvidenceStore", name: str) -> Path:
    """Return the path of a cache file."""
    return store.derived / f"{name}.blocks"


def _build_generation_tag(generation: str, name: str) -> str:
    """Build the tag that a file must have to be current: versions, name, generation."""
    return f"{DERIVATION_VERSION} {__version__} {name} {generation}"


def _derive_mac_key(store: "EvidenceStore") -> bytes:
    """Derive the MAC key of cached files from the store's fingerprint key."""
    return hashlib.sha256(store.fingerprint("derived inventory").encode()).digest()
