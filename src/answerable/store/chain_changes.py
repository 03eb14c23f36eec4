"""Find the chain keys whose chains new facts can change since chains were derived.

A chain follows its credential from issuance to issuance. So it can change if a credential
on this way has other records than before, or if a sign-in, a delegation or a presentation
concerns it. Every other chain is equal to the one that the same facts gave before.
"""

import contextlib
import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

import msgspec
import zstandard

from answerable.lineage.chain_stitching_types import SignIn, SourcedChainKey
from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    CredentialPresentation,
)
from answerable.store.cache_generation import DERIVATION_VERSION
from answerable.store.chain_file import CHAIN_FILE_VERSION
from answerable.store.credential_issuances import KEY_COLUMNS
from answerable.store.credential_joint_facts import (
    read_delegated_issuances,
    read_invocation_calls,
    read_presentations,
    read_token_id_issuances,
)
from answerable.store.day_files import DayFileKind, is_valid_file, remove_other_files
from answerable.store.durable_files import read_file, write_file
from answerable.store.lineage_days import (
    CHAIN_KEYS,
    ISSUANCES,
    SOURCED_KEY_COLUMNS,
    decode_sourced_keys,
    list_lineage_files,
)
from answerable.store.lineage_facts import read_sign_ins
from answerable.store.query_tables import ColumnType, NamedTable, ParquetTable
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_FILE = "chains.inputs"
_MAC_BYTES = 24
_SUBJECT = "if(credential <> '', credential, source || ' ' || if(session <> '', session, identity))"
_CHANGED_ISSUANCES = (
    "((FROM removed_issuances) EXCEPT (FROM added_issuances)) UNION ALL "
    "((FROM added_issuances) EXCEPT (FROM removed_issuances))"
)


class ChainInputs(msgspec.Struct, frozen=True):
    """Facts that the chains of a chain file were derived from.

    Attributes:
        statements: Digest of the statements on owners and users.
        key_files: Names of the files of chain keys.
        issuance_files: Names of the files of issuances.
        delegations: Issuances that other records than those of issuances tell.
        sign_ins: Sign-ins of persons.
        presentations: Calls in which a credential was presented.
        version: Version of the derivation.
    """

    statements: str
    key_files: tuple[str, ...]
    issuance_files: tuple[str, ...]
    delegations: tuple[CredentialIssuance, ...]
    sign_ins: tuple[SignIn, ...]
    presentations: tuple[CredentialPresentation, ...]
    version: int = DERIVATION_VERSION


@dataclass(frozen=True, slots=True)
class ChangedKeys:
    """Chain keys whose chains are derived again, and those without events by now."""

    derived: Sequence[SourcedChainKey]
    gone: Sequence[SourcedChainKey] = ()


@dataclass(frozen=True, slots=True)
class LineageFiles:
    """Paths of the files of chain keys and of issuances; none if there are none."""

    keys: Sequence[Path]
    issuances: Sequence[Path]

    @classmethod
    def open(cls, store: "EvidenceStore") -> "LineageFiles":
        """Open the files of all events, and write missing ones.

        Raises:
            EnvironmentFailure: The disk cannot be written.
        """
        return cls(
            list_lineage_files(store, CHAIN_KEYS), list_lineage_files(store, ISSUANCES)
        )

    def remove_others(self, store: "EvidenceStore", before: ChainInputs | None) -> None:
        """Remove other files than these and those before, which a question may read."""
        keys, issuances = (
            (before.key_files, before.issuance_files) if before else ((), ())
        )
        remove_other_files(store, CHAIN_KEYS, [*self.keys, *map(Path, keys)])
        remove_other_files(store, ISSUANCES, [*self.issuances, *map(Path, issuances)])


def read_chain_inputs(
    store: "EvidenceStore", files: LineageFiles, statements: object
) -> ChainInputs:
    """Read the facts that the chains of all events are derived from.

    Args:
        store: The store.
        files: Files of the facts.
        statements: Statements on owners and users.
    """
    encoded = msgspec.msgpack.encode(statements)
    return ChainInputs(
        hashlib.sha256(encoded).hexdigest(),
        tuple(each.name for each in files.keys),
        tuple(each.name for each in files.issuances),
        (*read_delegated_issuances(store), *read_token_id_issuances(store)),
        tuple(read_sign_ins(store)),
        (*read_presentations(store), *read_invocation_calls(store)),
    )


def load_chain_inputs(store: "EvidenceStore", chains: str) -> ChainInputs | None:
    """Load the facts that chains were derived from; None if they are not known.

    Args:
        store: The store.
        chains: Names of the files of the chains.
    """
    with contextlib.suppress(
        OSError, EnvironmentFailure, zstandard.ZstdError, msgspec.MsgspecError
    ):
        data = read_file(store.derived / _FILE)
        mac, body = data[:_MAC_BYTES], data[_MAC_BYTES:]
        if mac == _compute_mac(store, chains, body):
            plain = zstandard.ZstdDecompressor().decompress(body)
            found = msgspec.msgpack.decode(plain, type=ChainInputs)
            return found if found.version == DERIVATION_VERSION else None
    return None


def save_chain_inputs(store: "EvidenceStore", chains: str, inputs: ChainInputs) -> None:
    """Save the facts that chains were derived from.

    Raises:
        EnvironmentFailure: The disk cannot be written.
    """
    body = zstandard.ZstdCompressor(level=1).compress(msgspec.msgpack.encode(inputs))
    mac = _compute_mac(store, chains, body)
    write_file(store.derived / _FILE, mac + body, sync=False)


def _compute_mac(store: "EvidenceStore", chains: str, body: bytes) -> bytes:
    """Compute the MAC of the facts and of their chains, keyed by the store."""
    digest = hashlib.sha256(chains.encode() + b"\n" + body).hexdigest()
    named = f"chain inputs {CHAIN_FILE_VERSION} {digest}"
    return store.fingerprint(named).encode()


def find_changed_keys(
    store: "EvidenceStore",
    chains: ParquetTable,
    before: ChainInputs,
    now: ChainInputs,
    files: LineageFiles,
) -> ChangedKeys | None:
    """Find the chain keys whose chains can differ from those of a chain file.

    Args:
        store: The store.
        chains: The chain file.
        before: Facts that it was derived from.
        now: Facts of all events.
        files: Files of these facts.

    Returns:
        None if that is not known: all chains are derived again.
    """
    keys = _FileDifference.find(store, CHAIN_KEYS, before.key_files, files.keys)
    issuances = _FileDifference.find(
        store, ISSUANCES, before.issuance_files, files.issuances
    )
    if before.statements != now.statements or keys is None or issuances is None:
        return None
    marks = _find_marks(store, issuances, before, now, files)
    tables: dict[str, NamedTable | ParquetTable] = {
        "chains": chains,
        "added_keys": _open(keys.added),
        "removed_keys": _open(keys.removed),
        "key_days": _open(files.keys),
        **marks.build_tables(),
    }
    select = f"SELECT DISTINCT {SOURCED_KEY_COLUMNS} FROM"
    lost = f"{select} removed_keys ANTI JOIN key_days USING ({SOURCED_KEY_COLUMNS})"
    gone = [*_read_keys(store, lost, tables)] if keys.removed else []
    new = f"{select} added_keys ANTI JOIN chains USING ({SOURCED_KEY_COLUMNS})"
    touched = (
        f"{select} chains WHERE credential IN (FROM credentials) "
        "OR identity IN (FROM identities) OR run IN (FROM runs) "
        f"OR agent IN (FROM agents) OR {_SUBJECT} IN (FROM subjects)"
    )
    found = [*_read_keys(store, new, tables), *_read_keys(store, touched, tables)]
    dropped = set(gone)
    return ChangedKeys([key for key in found if key not in dropped], gone)


@dataclass(frozen=True, slots=True)
class _FileDifference:
    """Files that were added and removed."""

    added: Sequence[Path]
    removed: Sequence[Path]

    @classmethod
    def find(
        cls,
        store: "EvidenceStore",
        kind: DayFileKind,
        before: Sequence[str],
        files: Sequence[Path],
    ) -> "_FileDifference | None":
        """Compare files with earlier names; None if an earlier one is not valid."""
        folder = store.derived / kind.folder
        added = [each for each in files if each.name not in before]
        names = {each.name for each in files}
        removed = [folder / name for name in before if name not in names]
        valid = all(is_valid_file(store, kind, each) for each in removed)
        return cls(added, removed) if valid else None


@dataclass(frozen=True, slots=True)
class _Marks:
    """Values of a chain key by which its chains can change."""

    credentials: set[str]
    identities: set[str]
    runs: set[str]
    agents: set[str]
    subjects: set[str]

    def concern(self, key: ChainKey) -> bool:
        """Return whether the chains of a key can change."""
        return (
            key.credential in self.credentials
            or key.identity in self.identities
            or key.run in self.runs
            or key.agent in self.agents
        )

    def build_tables(self) -> dict[str, NamedTable]:
        """Build a table of each kind of value."""
        kinds = ("credentials", "identities", "runs", "agents", "subjects")
        return {kind: _build_texts(getattr(self, kind)) for kind in kinds}


def _find_marks(
    store: "EvidenceStore",
    difference: _FileDifference,
    before: ChainInputs,
    now: ChainInputs,
    files: LineageFiles,
) -> _Marks:
    """Find the values by which chains can change, from all facts that differ."""
    marks = _Marks(set(), set(), set(), set(), set())
    tables: dict[str, NamedTable | ParquetTable] = {
        "added_issuances": _open(difference.added, _NO_ISSUANCES),
        "removed_issuances": _open(difference.removed, _NO_ISSUANCES),
    }
    query = f"SELECT DISTINCT issued, run, agent, chain FROM ({_CHANGED_ISSUANCES})"  # noqa: S608 - ours
    rows = store.run_query(query, (), tables, NO_EVENTS)
    changed = [cast("tuple[str, str, str, str]", row) for row in rows]
    changed += [
        (each.credential, each.parent.run, each.parent.agent, " ".join(each.chain))
        for each in {*before.delegations} ^ {*now.delegations}
    ]
    for issued, run, agent, chain in changed:
        marks.credentials.add(issued)
        if chain:
            marks.runs.add(run)
            marks.agents.add(agent)
    for sign_in in {*before.sign_ins} ^ {*now.sign_ins}:
        marks.credentials.add(sign_in.credential)
        marks.identities.add(sign_in.identity)
    for values in (marks.credentials, marks.identities, marks.runs, marks.agents):
        values.discard("")
    _add_issued_behind(store, marks, now, files)
    presented = {*before.presentations} | {*now.presentations}
    same = {*before.presentations} & {*now.presentations}
    marks.subjects.update(
        each.credential
        for each in presented
        if each not in same or marks.concern(each.parent)
    )
    return marks


def _add_issued_behind(
    store: "EvidenceStore", marks: _Marks, now: ChainInputs, files: LineageFiles
) -> None:
    """Add the credentials that were issued to marked ones, and to those, and so on."""
    issuances = _open(files.issuances, _NO_ISSUANCES)
    identities = marks.identities
    wanted = set(marks.credentials)
    while wanted or identities:
        tables: dict[str, NamedTable | ParquetTable] = {
            "issuance_days": issuances,
            "wanted": _build_texts(wanted),
            "identities": _build_texts(identities),
        }
        rows = store.run_query(
            "SELECT DISTINCT issued FROM issuance_days "
            "WHERE credential IN (FROM wanted) OR identity IN (FROM identities) "
            "OR issued_to IN (FROM identities)",
            (),
            tables,
            NO_EVENTS,
        )
        found = {cast("str", issued) for (issued,) in rows}
        found |= {
            each.credential
            for each in now.delegations
            if each.parent.credential in wanted
            or not identities.isdisjoint((each.parent.identity, each.identity))
        }
        wanted = found - marks.credentials
        marks.credentials.update(wanted)
        identities = set()


def _read_keys(
    store: "EvidenceStore", query: str, tables: dict[str, NamedTable | ParquetTable]
) -> list[SourcedChainKey]:
    """Read chain keys by a query over tables."""
    return list(decode_sourced_keys(store.run_query(query, (), tables, NO_EVENTS)))


_KEY_TYPES = dict.fromkeys(KEY_COLUMNS.split(", "), ColumnType.TEXT)
_NO_KEYS = NamedTable(
    {"source": ColumnType.TEXT, "believed": ColumnType.BOOL, **_KEY_TYPES}, []
)
_NO_ISSUANCES = NamedTable(
    {
        "event_time": ColumnType.INT,
        **dict.fromkeys(("issued", "issued_to"), ColumnType.TEXT),
        "issued_until": ColumnType.INT,
        **dict.fromkeys(("event", "source", "chain", "owner"), ColumnType.TEXT),
        **_KEY_TYPES,
    },
    [],
)


def _open(
    files: Iterable[Path], empty: NamedTable = _NO_KEYS
) -> NamedTable | ParquetTable:
    """Open files as a table; an empty one without files."""
    return ParquetTable(found) if (found := tuple(files)) else replace(empty)


def _build_texts(texts: Iterable[str]) -> NamedTable:
    """Build a table with one column of texts."""
    rows = [{"value": each} for each in sorted(texts)]
    return NamedTable({"value": ColumnType.TEXT}, rows)
