"""Read the facts of a store that tell the owners of identities, in bounded memory."""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import ChainKey, CredentialIssuance
from answerable.store.credential_issuances import (
    build_issuance_source,
    read_credential_issuances,
)
from answerable.store.large_stores import is_large_store
from answerable.store.lineage_days import (
    CHAIN_KEYS,
    ISSUANCES,
    list_lineage_files,
    open_lineage_days,
)
from answerable.store.lineage_facts import (
    CredentialUse,
    IdentityChange,
    decode_credential_use,
    load_lineage_facts,
    read_access_key_uses,
    read_identity_changes,
)
from answerable.store.lineage_facts_of_keys import read_issuances_behind
from answerable.store.query_tables import ParquetTable
from answerable.store.segment_scope import NO_EVENTS

if TYPE_CHECKING:
    from answerable.store.day_files import DayFiles
    from answerable.store.store import EvidenceStore

_LONG_LIVED, _SESSION = "cred:aws/AKIA", "cred:aws/ASIA"
_ISSUANCES_OF_PART = 400_000
_CALLER = "identity, credential, person, agent"


@dataclass(frozen=True, slots=True)
class RoleAssumption:
    """Sessions of one identity that one caller opened.

    Attributes:
        identity: Identity of the sessions.
        caller: Identity, credential, person and agent of the caller.
        count: Number of the sessions.
        at: Time of the last one, UTC nanoseconds.
        event: Hex event id of its record.
        source: Log source of its record.
    """

    identity: str
    caller: ChainKey
    count: int
    at: int
    event: str
    source: str


@dataclass(frozen=True, slots=True)
class AssumptionPart:
    """Role assumptions of some callers, with the issuances behind these."""

    assumptions: Sequence[RoleAssumption]
    issuances: Sequence[CredentialIssuance]


@dataclass(frozen=True, slots=True)
class OwnershipFacts:
    """Facts that tell owners, except for role assumptions.

    Attributes:
        uses: Uses of long-lived access keys.
        changes: Created and deleted identities.
        keys: Records of created access keys.
        issuances: Issuances behind the callers of these records.
    """

    uses: Sequence[CredentialUse]
    changes: Sequence[IdentityChange]
    keys: Sequence[CredentialIssuance]
    issuances: Sequence[CredentialIssuance]


def load_ownership_facts(store: "EvidenceStore") -> OwnershipFacts:
    """Load the facts that tell owners, except for role assumptions.

    Of a large store, only the issuances behind them are in memory.
    """
    if not is_large_store(store):
        facts = load_lineage_facts(store)
        keys = [e for e in facts.issuances if e.credential.startswith(_LONG_LIVED)]
        return OwnershipFacts(facts.uses, facts.changes, keys, facts.issuances)
    created = f"starts_with(issued, '{_LONG_LIVED}')"
    days = open_lineage_days(store, ISSUANCES)
    keys = list(read_credential_issuances(store, created, days=days))
    changes = list(read_identity_changes(store))
    callers = [each.parent for each in keys] + [each.key for each in changes]
    credentials = {each.credential for each in callers}
    behind = read_issuances_behind(store, credentials, (), days)
    return OwnershipFacts(_read_uses(store), changes, keys, [*keys, *behind])


def _read_uses(store: "EvidenceStore") -> Sequence[CredentialUse]:
    """Read the uses of access keys from the files of chain keys, or from the events."""
    with suppress(EnvironmentFailure):
        if files := list_lineage_files(store, CHAIN_KEYS):
            rows = store.run_query(
                "SELECT credential, identity, min(first), max(last), "  # noqa: S608 - ours
                "sum(events)::BIGINT, source FROM key_days "
                f"WHERE starts_with(credential, '{_LONG_LIVED}') AND identity <> '' "
                "AND believed GROUP BY ALL ORDER BY ALL",
                (),
                {"key_days": ParquetTable(tuple(files))},
                NO_EVENTS,
            )
            return [decode_credential_use(row) for row in rows]
    return tuple(read_access_key_uses(store))


def iterate_assumptions(
    store: "EvidenceStore", *, from_files: bool = True
) -> Iterator[AssumptionPart]:
    """Yield the role assumptions of all events, with a part of them in memory.

    Args:
        store: The store.
        from_files: Read files of days, unless there are none.

    Raises:
        EnvironmentFailure: Another process has removed a file.
    """
    if not is_large_store(store):
        issuances = load_lineage_facts(store).issuances
        yield AssumptionPart(list(_list_assumptions(issuances)), issuances)
        return
    days = open_lineage_days(store, ISSUANCES) if from_files else None
    parts = _count_rows(store, days) // _ISSUANCES_OF_PART + 1
    for part in range(parts):
        found = _read_assumptions(store, days, parts, part)
        callers = {each.caller.credential for each in found}
        yield AssumptionPart(found, read_issuances_behind(store, callers, (), days))


def _list_assumptions(
    issuances: Iterable[CredentialIssuance],
) -> Iterator[RoleAssumption]:
    """List the role assumptions among issuances, each by itself."""
    for made in issuances:
        if made.credential.startswith(_SESSION) and made.identity:
            caller = _build_caller(
                made.parent.identity,
                made.parent.credential,
                made.parent.person,
                made.parent.agent,
            )
            yield RoleAssumption(
                made.identity, caller, 1, made.at, made.event, made.source
            )


def _build_caller(identity: str, credential: str, person: str, agent: str) -> ChainKey:
    """Build the chain key of a caller."""
    return ChainKey(identity, credential, "", person, "", agent)


def _count_rows(store: "EvidenceStore", days: "DayFiles | None") -> int:
    """Count issuances in files, about; the events are read at once."""
    if days is None:
        return 0
    rows, tables, scope = build_issuance_source({}, None, days)
    ((count,),) = store.run_query(f"SELECT count(*) FROM ({rows})", (), tables, scope)  # noqa: S608 - ours
    return cast("int", count)


def _read_assumptions(
    store: "EvidenceStore", days: "DayFiles | None", parts: int, part: int
) -> list[RoleAssumption]:
    """Read the role assumptions of a part of the callers."""
    rows, tables, scope = build_issuance_source({}, None, days)
    found = store.run_query(
        f"SELECT issued_to, {_CALLER}, count(*), max(event_time), "  # noqa: S608 - ours
        "max_by(event, (event_time, event)), max_by(source, (event_time, event)) "
        f"FROM ({rows}) WHERE starts_with(issued, '{_SESSION}') AND issued_to <> '' "
        f"AND hash({_CALLER}) % ? = ? GROUP BY ALL",
        (parts, part),
        tables,
        scope,
    )
    return [
        RoleAssumption(
            str(identity),
            _build_caller(*map(str, caller)),
            cast("int", count),
            cast("int", at),
            str(event),
            str(source),
        )
        for identity, *caller, count, at, event, source in found
    ]
