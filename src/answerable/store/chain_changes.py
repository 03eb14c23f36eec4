"""Find the chain keys whose chains new facts can change since chains were derived."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.lineage.chain_statements import find_changed_subjects
from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.model.lineage import DeclaredUse
from answerable.store.chain_inputs import ChainInputs
from answerable.store.chain_marks import IssuanceFiles, find_marks, open_tables
from answerable.store.credential_joint_facts import (
    read_delegated_issuances,
    read_invocation_calls,
    read_presentations,
    read_token_id_issuances,
)
from answerable.store.day_files import DayFileKind, is_valid_file, remove_other_files
from answerable.store.lineage_days import (
    CHAIN_KEYS,
    ISSUANCES,
    SOURCED_KEY_COLUMNS,
    decode_sourced_keys,
    list_lineage_files,
)
from answerable.store.lineage_facts import read_sign_ins
from answerable.store.query_tables import NamedTable, ParquetTable
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_MANY_KEYS = 200_000  # that can change: all chains are derived again
_SUBJECT = "if(credential <> '', credential, source || ' ' || if(session <> '', session, identity))"


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
    store: "EvidenceStore", files: LineageFiles, statements: dict[str, bytes]
) -> ChainInputs:
    """Read the facts that the chains of all events are derived from.

    Args:
        store: The store.
        files: Files of the facts.
        statements: Digest of what is stated on each owned or used subject.
    """
    return ChainInputs(
        statements,
        tuple(each.name for each in files.keys),
        tuple(each.name for each in files.issuances),
        (*read_delegated_issuances(store), *read_token_id_issuances(store)),
        tuple(read_sign_ins(store)),
        (*read_presentations(store), *read_invocation_calls(store)),
    )


def find_changed_keys(
    store: "EvidenceStore",
    chains: ParquetTable,
    before: ChainInputs,
    now: ChainInputs,
    files: LineageFiles,
    declared: Iterable[DeclaredUse],
) -> ChangedKeys | None:
    """Find the chain keys whose chains can differ from those of a chain file.

    Args:
        store: The store.
        chains: The chain file.
        before: Facts that it was derived from.
        now: Facts of all events.
        files: Files of these facts.
        declared: Declared uses of these facts.

    Returns:
        None if that is not known, or if there are too many: all chains are derived
        again.
    """
    keys = FileDifference.find(store, CHAIN_KEYS, before.key_files, files.keys)
    issuances = FileDifference.find(
        store, ISSUANCES, before.issuance_files, files.issuances
    )
    if keys is None or issuances is None:
        return None
    stated = find_changed_subjects(before.statements, now.statements, declared)
    marks = find_marks(
        store,
        IssuanceFiles(issuances.added, issuances.removed, files.issuances),
        before,
        now,
        stated,
    )
    if marks is None:
        return None
    tables: dict[str, NamedTable | ParquetTable] = {
        "chains": chains,
        "added_keys": open_tables(keys.added),
        "removed_keys": open_tables(keys.removed),
        "key_days": open_tables(files.keys),
        **marks.build_tables(),
    }
    select = f"SELECT DISTINCT {SOURCED_KEY_COLUMNS} FROM"
    lost = f"{select} removed_keys ANTI JOIN key_days USING ({SOURCED_KEY_COLUMNS})"
    gone = [*_read_keys(store, lost, tables)] if keys.removed else []
    new = f"{select} added_keys ANTI JOIN chains USING ({SOURCED_KEY_COLUMNS})"
    touched = (
        "FROM chains WHERE credential IN (FROM credentials) "
        "OR identity IN (FROM identities) OR run IN (FROM runs) "
        f"OR agent IN (FROM agents) OR {_SUBJECT} IN (FROM subjects)"
    )
    count = f"SELECT count(DISTINCT n) {touched}"
    ((number,),) = store.run_query(count, (), tables, NO_EVENTS)
    if cast("int", number) > _MANY_KEYS:
        return None
    again = f"SELECT DISTINCT {SOURCED_KEY_COLUMNS} {touched}"
    found = [*_read_keys(store, new, tables), *_read_keys(store, again, tables)]
    dropped = set(gone)
    return ChangedKeys([key for key in found if key not in dropped], gone)


@dataclass(frozen=True, slots=True)
class FileDifference:
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
    ) -> "FileDifference | None":
        """Compare files with earlier names; None if an earlier one is not valid."""
        folder = store.derived / kind.folder
        added = [each for each in files if each.name not in before]
        names = {each.name for each in files}
        removed = [folder / name for name in before if name not in names]
        valid = all(is_valid_file(store, kind, each) for each in removed)
        return cls(added, removed) if valid else None


def _read_keys(
    store: "EvidenceStore", query: str, tables: dict[str, NamedTable | ParquetTable]
) -> list[SourcedChainKey]:
    """Read chain keys by a query over tables."""
    return list(decode_sourced_keys(store.run_query(query, (), tables, NO_EVENTS)))
