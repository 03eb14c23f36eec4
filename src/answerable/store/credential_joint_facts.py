"""Read impersonations, issued tokens and presented tokens that join log sources (SQL).

A joint is an equal credential id in two records: the digest of a token, or its `jti`.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from answerable.model.delegated_credential import (
    DELEGATED_BY_FACT,
    DELEGATED_PREFIX,
    DELEGATION_CREDENTIAL_FACT,
    build_delegated_credential_id,
    decode_delegation,
)
from answerable.model.lineage import ChainKey, CredentialIssuance
from answerable.store.event_columns import build_fact_sql

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

_TRUSTED = "e.written_by = 'platform'"


def read_delegated_issuances(store: "EvidenceStore") -> Iterator[CredentialIssuance]:
    """Read the impersonations of all events, as issuances of delegated credentials.

    The first event of each path stands for it. A path of three identities is two
    issuances.
    """
    by, credential = (
        build_fact_sql(name, "''")
        for name in (DELEGATED_BY_FACT, DELEGATION_CREDENTIAL_FACT)
    )
    query = (
        f"SELECT e.source, e.identity, {by} AS behind, {credential} AS used, "  # noqa: S608 - ours
        "min(e.event_time), min_by(lower(hex(e.event_id)), (e.event_time, e.event_id)), "
        "min(e.person) FROM events e "
        f"WHERE starts_with(e.credential, '{DELEGATED_PREFIX}') AND {_TRUSTED} "
        "GROUP BY ALL ORDER BY ALL"
    )
    for row in store.run_query(query):
        source, identity, named, used, at, event, person = row
        behind, origin = decode_delegation(
            {DELEGATED_BY_FACT: str(named), DELEGATION_CREDENTIAL_FACT: str(used)}
        )
        path = (*behind, str(identity))
        for length in range(2, len(path) + 1):
            parent = (
                origin
                if length == 2
                else build_delegated_credential_id(path[: length - 1], origin)
            )
            yield CredentialIssuance(
                at=cast("int", at),
                credential=build_delegated_credential_id(path[:length], origin),
                identity=path[length - 1],
                until=0,
                parent=ChainKey(
                    path[length - 2], parent, "", str(person) if length == 2 else "", ""
                ),
                event=str(event),
                source=str(source),
            )
