"""Read the facts for the chains of some events only: memory as for these, not for all.

Issuances are followed from the credentials of the events back to their origin, one
query for each step. The result gives the same chains as all facts of the store.
"""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING

from answerable.lineage.chain_stitching_types import SourcedChainKey
from answerable.lineage.credential_presentations import get_presented_subject
from answerable.model.errors import EnvironmentFailure
from answerable.model.lineage import ChainKey, CredentialIssuance
from answerable.model.log_sources import BEDROCK, STS
from answerable.store.credential_issuances import (
    read_credential_issuances,
)
from answerable.store.credential_joint_facts import (
    read_delegated_issuances,
    read_invocation_calls,
    read_presentations,
    read_token_id_issuances,
)
from answerable.store.day_files import DayFiles
from answerable.store.investigation_queries import (
    InvestigationFilter,
    build_investigation_scope,
    build_matching_query,
)
from answerable.store.lineage_days import ISSUANCES, open_lineage_days
from answerable.store.lineage_facts import (
    LineageFacts,
    read_sign_ins,
)
from answerable.store.query_tables import ColumnType, NamedTable
from answerable.store.segment_scope import SegmentScope

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_KEYS = "identity, credential, session, person, run, agent, tool"


def read_chain_keys_matching(
    store: "EvidenceStore", investigation: InvestigationFilter
) -> list[SourcedChainKey]:
    """Read the distinct chain keys of matching events."""
    query, values, tables = build_matching_query(
        investigation, f"source, written_by, {_KEYS}"
    )
    rows = store.run_query(
        f"SELECT DISTINCT source, written_by, {_KEYS} FROM ({query}) ORDER BY ALL",  # noqa: S608 - ours
        values,
        tables,
        build_investigation_scope(investigation),
    )
    found = (
        SourcedChainKey(
            ChainKey(*map(str, key)), str(source), written_by != "self-reported"
        )
        for source, written_by, *key in rows
    )
    return list(dict.fromkeys(found))


def read_lineage_facts_of_keys(
    store: "EvidenceStore",
    keys: Sequence[SourcedChainKey],
    days: DayFiles | None = None,
) -> LineageFacts:
    """Read the facts that the chains of some chain keys need.

    Args:
        store: The store.
        keys: Distinct chain keys.
        days: Files of the issuances of sealed events; None to open them.
    """
    credentials = {each.key.credential for each in keys}
    subjects = {get_presented_subject(each.key, each.source) for each in keys}
    calls = [*read_presentations(store)]
    if any(each.source == BEDROCK for each in keys):
        calls += read_invocation_calls(store)
    presentations = tuple(each for each in calls if each.credential in subjects)
    credentials |= {each.parent.credential for each in presentations}
    return LineageFacts(
        joints=tuple(keys),
        issuances=tuple(read_issuances_behind(store, credentials, keys, days)),
        presentations=presentations,
        sign_ins=tuple(read_sign_ins(store)),
    )


def read_issuances_behind(
    store: "EvidenceStore",
    credentials: set[str],
    keys: Sequence[SourcedChainKey],
    days: DayFiles | None = None,
) -> list[CredentialIssuance]:
    """Read the issuances of credentials, of the issuers' credentials, and so on.

    Args:
        store: The store.
        credentials: Credentials of the chain keys, or of others.
        keys: The chain keys.
        days: Files of the issuances of sealed events; None to open them.
    """
    others: dict[str, list[CredentialIssuance]] = defaultdict(list)
    for each in (*read_delegated_issuances(store), *read_token_id_issuances(store)):
        others[each.credential].append(each)
    days = days or open_lineage_days(store, ISSUANCES)
    try:
        return _follow_issuances(store, credentials, keys, others, days)
    except EnvironmentFailure:
        if days is None:
            raise
    # Another process has removed a file.
    return _follow_issuances(store, credentials, keys, others, None)


def _follow_issuances(
    store: "EvidenceStore",
    credentials: set[str],
    keys: Sequence[SourcedChainKey],
    others: Mapping[str, Sequence[CredentialIssuance]],
    days: DayFiles | None,
) -> list[CredentialIssuance]:
    """Follow the issuances of credentials back to their origin.

    Args:
        store: The store.
        credentials: Credentials of the chain keys.
        keys: The chain keys.
        others: Issuances that records of other kinds tell, by credential.
        days: Files of the issuances of sealed events; None to read these events.
    """
    found = _read_delegations(store, keys, days)
    seen: set[str] = set()
    wanted = credentials | {each.parent.credential for each in found}
    while fresh := wanted - seen - {""}:
        made = [
            *_read_issuances_of(store, fresh, days),
            *(e for credential in sorted(fresh) for e in others.get(credential, ())),
        ]
        seen |= fresh
        wanted = {each.parent.credential for each in made}
        found += made
    return list(dict.fromkeys(found))


def _read_issuances_of(
    store: "EvidenceStore", credentials: set[str], days: DayFiles | None
) -> Iterable[CredentialIssuance]:
    """Read the issuances of some credentials."""
    tables = {"wanted_credentials": _build_value_table(credentials)}
    wanted = "issued IN (SELECT value FROM wanted_credentials)"
    scope = SegmentScope(alternatives=({"issued": credentials},))
    return read_credential_issuances(store, wanted, tables, scope, days)


def _read_delegations(
    store: "EvidenceStore",
    keys: Sequence[SourcedChainKey],
    days: DayFiles | None,
) -> list[CredentialIssuance]:
    """Read the records of our token service for the runs and agents of chain keys."""
    runs = {each.key.run for each in keys} - {""}
    agents = {each.key.agent for each in keys} - {""}
    if not runs and not agents:
        return []
    return list(
        read_credential_issuances(
            store,
            f"source = '{STS}' AND (run IN (SELECT value FROM wanted_runs) "  # noqa: S608 - ours
            "OR agent IN (SELECT value FROM wanted_agents))",
            {
                "wanted_runs": _build_value_table(runs),
                "wanted_agents": _build_value_table(agents),
            },
            SegmentScope(
                alternatives=(
                    {"source": {STS}, "run": runs},
                    {"source": {STS}, "agent": agents},
                )
            ),
            days,
        )
    )


def _build_value_table(values: Iterable[str]) -> NamedTable:
    """Build a table with one column of texts."""
    return NamedTable(
        {"value": ColumnType.TEXT}, [{"value": each} for each in sorted(values)]
    )
