"""Cached inventory on disk, derived from a snapshot and the trails, read by row.

It is stored in `derived/` under a generation that identifies its input. A file of
another generation, a damaged or a foreign file is derived again; deleting it is
harmless.
"""

import contextlib
import hashlib
import typing
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from answerable import __version__
from answerable.inventory.lazy_ownership import JudgedOwners, OwnerRecords
from answerable.inventory.people import People
from answerable.inventory.resolve import name_table
from answerable.model.connector import no_progress
from answerable.model.errors import EnvironmentRefused
from answerable.model.identity import Identity
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import (
    AgentEntity,
    CredentialEntity,
    Inventory,
    NameEntry,
    NameTable,
    Progress,
    SourceCoverage,
)
from answerable.model.person import Person
from answerable.model.policy import Policy
from answerable.model.resource import Resource
from answerable.model.sighting import Facts
from answerable.store.block_file import BlockFile, BlockFileError, Section, encode
from answerable.store.durable_files import make_folder, write_file

if TYPE_CHECKING:
    from answerable.store.store import Store

# Raised when the same input would be joined otherwise.
DERIVATION = 6
# Files of one kind that are kept, each for other condition keys that questions stated.
_MOST_VARIANTS = 8
# Facts that stand once by id, in the order of ids.
_SORTED = ("identities", "policies", "resources")
Key = TypeVar("Key", bound=str)
Value = TypeVar("Value")
_Entries = tuple[NameEntry, ...]
_KINDS: Mapping[str, type] = {
    name: typing.get_args(hint)[0]
    for name, hint in typing.get_type_hints(Facts).items()
}


@dataclass(frozen=True, slots=True)
class _Heading:
    """Header of an inventory: its single values, with its own `judged_at`."""

    at: int
    name: str
    judged_at: int
    coverage: tuple[SourceCoverage, ...]


class StoredFacts(Facts):
    """Merged facts in a block file; each kind is read on first use."""

    def __new__(cls, file: BlockFile | None = None, **kinds: object) -> "StoredFacts":
        """Create plain facts where `replace` passes their kinds."""
        if file is None:
            return Facts(**kinds)  # type: ignore[arg-type, return-value]  # of `replace`
        return super().__new__(cls)

    def __init__(self, file: BlockFile) -> None:
        """Keep the file; nothing is read yet."""
        object.__setattr__(self, "_file", file)

    def _rows(self, name: str, kind: type[Value]) -> "Section[Value]":
        file: BlockFile = self._file  # type: ignore[attr-defined]  # set above
        return file.section(f"facts.{name}", kind)

    def policies_by_id(self) -> Mapping[str, Policy]:
        """Return the policies by id, read on use."""
        return self._rows("policies", Policy)

    def identities_by_id(self) -> Mapping[str, Identity]:
        """Return the identities by id, read on use."""
        return self._rows("identities", Identity)

    def resources_by_id(self) -> Mapping[str, Resource]:
        """Return the resources by id, read on use."""
        return self._rows("resources", Resource)


def _read_on_use(name: str) -> "cached_property[tuple[object, ...]]":
    def read(facts: StoredFacts) -> tuple[object, ...]:
        section: Section[object] = facts._rows(name, _KINDS[name])
        return tuple(value for _, value in section.decoded())

    found = cached_property(read)
    found.__set_name__(StoredFacts, name)
    return found


for _field in fields(Facts):
    setattr(StoredFacts, _field.name, _read_on_use(_field.name))


def load_inventory(store: "Store", generation: str, now: int) -> Inventory | None:
    """Open the stored inventory of a generation.

    Args:
        store: The store.
        generation: Required generation of its input.
        now: Reference time for the age of evidence, UTC nanoseconds; 0 for its own.

    Returns:
        The inventory, read on use; None where none of this generation is stored.
    """
    try:
        named = _named(generation, "inventory")
        file = BlockFile(_file(store, "inventory"), named, _key(store))
    except BlockFileError:
        return None
    heading = file.section("heading", _Heading)[""]
    people = People.restored(
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
        owners=JudgedOwners(file.section("owners", OwnerRecords), people, judged_at),
        own_owners=JudgedOwners(
            file.section("own_owners", OwnerRecords), people, judged_at
        ),
        coverage=heading.coverage,
        judged_at=judged_at,
        names=NameTable(
            file.section("names", _Entries), file.section("principals", str)
        ),
    )


def save_inventory(store: "Store", generation: str, inventory: Inventory) -> None:
    """Save a joined inventory for later queries.

    A disk error is ignored: the inventory is joined again.

    Args:
        store: The store.
        generation: Generation of its input.
        inventory: Joined inventory, evaluated at its own time.
    """
    owners, own = inventory.owners, inventory.own_owners
    if not isinstance(owners, JudgedOwners) or not isinstance(own, JudgedOwners):
        raise TypeError("an inventory that was not joined cannot be kept")
    sections = {
        **_sections(inventory, owners.people),
        "owners": _ascending(owners.records),
        "own_owners": _ascending(own.records),
    }
    data = encode(_named(generation, "inventory"), sections, _key(store))
    _write(_file(store, "inventory"), data)


class DerivedFiles:
    """Tables derived from the inventory of one generation, one file per name."""

    def __init__(
        self, store: "Store", generation: str, progress: Progress = no_progress
    ) -> None:
        """Keep the store, the generation of the input, and a progress callback."""
        self._store, self._generation = store, generation
        self.progress = progress

    def load(self, name: str) -> BlockFile | None:
        """Open the tables saved under a name; None where none are current."""
        path, key = _file(self._store, name), _key(self._store)
        try:
            return BlockFile(path, _named(self._generation, name), key)
        except BlockFileError:
            return None

    def save(
        self, name: str, tables: Mapping[str, Iterable[tuple[str, object]]]
    ) -> None:
        """Save tables under a name; a disk error is ignored."""
        data = encode(_named(self._generation, name), tables, _key(self._store))
        _write(_file(self._store, name), data)
        kind, dash, _ = name.partition("-")
        if dash:
            _prune(_file(self._store, f"{kind}-*"))


def _prune(pattern: Path) -> None:
    """Delete all but the newest files of a pattern."""
    with contextlib.suppress(OSError):
        found = pattern.parent.glob(pattern.name)
        newest = sorted(found, key=lambda path: path.stat().st_mtime_ns, reverse=True)
        for path in newest[_MOST_VARIANTS:]:
            path.unlink()


def _write(path: Path, data: bytes) -> None:
    with contextlib.suppress(EnvironmentRefused):
        make_folder(path.parent)
        write_file(path, data, sync=False)


def _sections(
    inventory: Inventory, people: People
) -> Mapping[str, Iterable[tuple[str, object]]]:
    names = name_table(inventory)
    heading = _Heading(
        inventory.at, inventory.name, inventory.judged_at, inventory.coverage
    )
    found: dict[str, Iterable[tuple[str, object]]] = {"heading": [("", heading)]}
    for name in _KINDS:
        rows = getattr(inventory.facts, name)
        found[f"facts.{name}"] = _by_id(rows) if name in _SORTED else _numbered(rows)
    found["agents"] = _ascending(inventory.agents)
    found["credentials"] = _ascending(inventory.credentials)
    found["persons"] = _ascending(inventory.persons)
    found["handles"] = _ascending(people.handles)
    found["names"] = _ascending(names.entries)
    found["principals"] = _ascending(names.principals)
    return found


def _by_id(
    rows: Iterable[Policy | Identity | Resource],
) -> Iterator[tuple[str, object]]:
    return ((row.id, row) for row in rows)


def _numbered(rows: Iterable[object]) -> Iterator[tuple[str, object]]:
    return ((f"{number:09}", row) for number, row in enumerate(rows))


def _ascending(rows: Mapping[Key, object]) -> Iterator[tuple[str, object]]:
    return ((key, rows[key]) for key in sorted(rows))


def _file(store: "Store", name: str) -> Path:
    return store.root / "derived" / f"{name}.blocks"


def _named(generation: str, name: str) -> str:
    return f"{DERIVATION} {__version__} {name} {generation}"


def _key(store: "Store") -> bytes:
    return hashlib.sha256(store.fingerprint("derived inventory").encode()).digest()
