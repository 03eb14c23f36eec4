"""Find the values of chain keys by which chains can change since they were derived.

A chain follows its credential from issuance to issuance. So it can change if a credential
on this way has other records than before, or if a sign-in, a delegation, a presentation
or a statement concerns it. Every other chain is equal to the one of the same facts.
"""

from collections.abc import Iterable, Sequence, Set
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, cast

from answerable.model.lineage import ChainKey
from answerable.store.chain_inputs import ChainInputs
from answerable.store.credential_issuances import KEY_COLUMNS
from answerable.store.query_tables import ColumnType, NamedTable, ParquetTable
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_CHANGED_ISSUANCES = (
    "((FROM removed_issuances) EXCEPT (FROM added_issuances)) UNION ALL "
    "((FROM added_issuances) EXCEPT (FROM removed_issuances))"
)


_MANY_CREDENTIALS = 250_000  # of more, all chains are derived again


@dataclass(frozen=True, slots=True)
class IssuanceFiles:
    """Files of issuances: those added and removed since chains were derived, and all."""

    added: Sequence[Path]
    removed: Sequence[Path]
    every: Sequence[Path]


@dataclass(frozen=True, slots=True)
class ChainMarks:
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


def find_marks(
    store: "EvidenceStore",
    files: IssuanceFiles,
    before: ChainInputs,
    now: ChainInputs,
    stated: Set[str],
) -> ChainMarks | None:
    """Find the values by which chains can change, from all facts that differ.

    Args:
        store: The store.
        files: Files of the issuances.
        before: Facts that the chains were derived from.
        now: Facts of all events.
        stated: Identities, credentials and agents of which statements tell something
            else.

    Returns:
        None if there are too many.
    """
    marks = ChainMarks({*stated}, {*stated}, set(), {*stated}, set())
    _add_changed_issuances(store, marks, files, before, now)
    if stated:
        _add_issuances_of_agents(store, marks, files, now, stated)
    for sign_in in {*before.sign_ins} ^ {*now.sign_ins}:
        marks.credentials.add(sign_in.credential)
        marks.identities.add(sign_in.identity)
    for values in (marks.credentials, marks.identities, marks.runs, marks.agents):
        values.discard("")
    if not _add_issued_behind(store, marks, now, files):
        return None
    presented = {*before.presentations} | {*now.presentations}
    same = {*before.presentations} & {*now.presentations}
    marks.subjects.update(
        each.credential
        for each in presented
        if each not in same or marks.concern(each.parent)
    )
    return marks


def _add_changed_issuances(
    store: "EvidenceStore",
    marks: ChainMarks,
    files: IssuanceFiles,
    before: ChainInputs,
    now: ChainInputs,
) -> None:
    """Add the credentials whose issuances differ, and the agents and runs that they name."""
    tables: dict[str, NamedTable | ParquetTable] = {
        "added_issuances": open_tables(files.added, _NO_ISSUANCES),
        "removed_issuances": open_tables(files.removed, _NO_ISSUANCES),
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


def _add_issuances_of_agents(
    store: "EvidenceStore",
    marks: ChainMarks,
    files: IssuanceFiles,
    now: ChainInputs,
    agents: Set[str],
) -> None:
    """Add the credentials, and the runs, of the issuances that name one of some agents."""
    tables: dict[str, NamedTable | ParquetTable] = {
        "issuance_days": open_tables(files.every, _NO_ISSUANCES),
        "named": _build_texts(agents),
    }
    rows = store.run_query(
        "SELECT DISTINCT issued, run FROM (SELECT issued, run, "
        "unnest(list_prepend(agent, string_split(chain, ' '))) AS name FROM issuance_days "
        "WHERE agent <> '' OR chain <> '') WHERE name IN (FROM named)",
        (),
        tables,
        NO_EVENTS,
    )
    found = [cast("tuple[str, str]", row) for row in rows]
    found += [
        (each.credential, each.parent.run)
        for each in now.delegations
        if not agents.isdisjoint((each.parent.agent, *each.chain))
    ]
    for issued, run in found:
        marks.credentials.add(issued)
        marks.runs.add(run)


def _add_issued_behind(
    store: "EvidenceStore", marks: ChainMarks, now: ChainInputs, files: IssuanceFiles
) -> bool:
    """Add the credentials that were issued to marked ones, and to those, and so on.

    Returns:
        Whether all were added: there are not too many.
    """
    issuances = open_tables(files.every, _NO_ISSUANCES)
    identities = marks.identities
    wanted = set(marks.credentials)
    while wanted or identities:
        if len(marks.credentials) > _MANY_CREDENTIALS:
            return False
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
    return True


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


def open_tables(
    files: Iterable[Path], empty: NamedTable = _NO_KEYS
) -> NamedTable | ParquetTable:
    """Open files as a table; an empty one without files."""
    return ParquetTable(found) if (found := tuple(files)) else replace(empty)


def _build_texts(texts: Iterable[str]) -> NamedTable:
    """Build a table with one column of texts."""
    rows = [{"value": each} for each in sorted(texts)]
    return NamedTable({"value": ColumnType.TEXT}, rows)
