"""Read impersonations, issued tokens and presented tokens that join log sources (SQL).

A joint is an equal credential id in two records: the digest of a token, or its `jti`. A
model invocation log of Bedrock has the request id of its CloudTrail record instead.
"""

from collections.abc import Iterator
from typing import TYPE_CHECKING, cast

from answerable.lineage.credential_presentations import (
    InvocationRecord,
    get_presented_subject,
    join_invocations,
    merge_presentations,
)
from answerable.model.delegated_credential import (
    DELEGATED_BY_FACT,
    DELEGATED_PREFIX,
    DELEGATION_CREDENTIAL_FACT,
    build_delegated_credential_id,
    decode_delegation,
)
from answerable.model.lineage import (
    ChainKey,
    CredentialIssuance,
    CredentialPresentation,
)
from answerable.model.log_sources import BEDROCK, CLOUDTRAIL, GATEWAY, STS
from answerable.store.event_columns import build_fact_sql

if TYPE_CHECKING:
    from answerable.store.segment_scope import SegmentScope
    from answerable.store.store import EvidenceStore

_TRUSTED = "e.written_by = 'platform'"
_JTI_PREFIX = "cred:k8s-jti/"
# Token ids and digests that some platform logged: only those are looked for.
_LOGGED_TOKENS = (
    "SELECT DISTINCT credential FROM skimmed WHERE written_by = 'platform' "  # noqa: S608 - ours
    "AND (starts_with(credential, 'cred:token/') "
    f"OR starts_with(credential, '{_JTI_PREFIX}'))"
)
_NS_PER_MS = 1_000_000
_KEYS = "e.identity, e.credential, e.session, e.person, e.run, e.agent, e.tool"


def read_token_id_issuances(store: "EvidenceStore") -> Iterator[CredentialIssuance]:
    """Read the tokens of our token service whose `jti` a platform logged."""
    jti, chain, owner = (build_fact_sql(n, "''") for n in ("jti", "chain", "owner"))
    query = (
        f"SELECT e.event_time, '{_JTI_PREFIX}' || {jti} AS used, e.issued_until, "  # noqa: S608 - ours
        f"lower(hex(e.event_id)), {chain}, {owner}, {_KEYS} FROM events e "
        f"WHERE e.source = '{STS}' AND e.issued <> '' AND e.outcome = 'success' "
        f"AND e.written_by = 'mediator' AND used IN ({_LOGGED_TOKENS}) "
        "ORDER BY e.event_time, e.event_id"
    )
    rows = store.run_query(query, scope=_build_token_scope(STS))
    for at, used, until, event, chain_text, owned, *key in rows:
        yield CredentialIssuance(
            at=cast("int", at),
            credential=str(used),
            identity="",
            until=cast("int", until),
            parent=ChainKey(*map(str, key)),
            event=str(event),
            source=STS,
            chain=tuple(str(chain_text).split()),
            owner=str(owned),
        )


def _build_token_scope(issuer: str) -> "SegmentScope":
    """Build the scope of the records of an issuer, and of the tokens that are logged."""
    from answerable.store.segment_scope import KIND, SOURCE, TOKEN, SegmentScope

    return SegmentScope(alternatives=({SOURCE: {issuer}}, {KIND: {TOKEN}}))


def read_presentations(store: "EvidenceStore") -> tuple[CredentialPresentation, ...]:
    """Read the calls in which a gateway presented a token that a platform logged.

    A call counts as open until its recorded end, and without one at its start only.
    """
    shown, jti, ended, took = (
        build_fact_sql(name, "''")
        for name in ("shown_to_server", "jti", "ended", "milliseconds")
    )
    calls = " UNION ALL ".join(
        f"SELECT '{prefix}' || {fact} AS used, e.event_time AS start, e.event_time + "  # noqa: S608 - ours
        f"(coalesce(try_cast({took} AS BIGINT), 0) + 1) * {_NS_PER_MS} AS stop, "
        f"lower(hex(e.event_id)) AS event, {_KEYS} FROM events e "
        f"WHERE e.source = '{GATEWAY}' AND e.written_by = 'mediator' AND e.agent <> '' "
        f"AND {fact} <> '' AND {ended} NOT IN ('', 'withheld')"
        for prefix, fact in (("cred:token/", shown), (_JTI_PREFIX, jti))
    )
    query = f"SELECT * FROM ({calls}) WHERE used IN ({_LOGGED_TOKENS})"  # noqa: S608 - ours
    rows = store.run_query(query, scope=_build_token_scope(GATEWAY))
    return merge_presentations(
        CredentialPresentation(
            str(credential),
            cast("int", start),
            cast("int", end),
            ChainKey(*map(str, key)),
            str(event),
            GATEWAY,
        )
        for credential, start, end, event, *key in rows
    )


def read_invocation_calls(
    store: "EvidenceStore",
) -> tuple[CredentialPresentation, ...]:
    """Read the CloudTrail calls of Bedrock's model invocation logs, by request id.

    Both records are of one account and one caller.
    """
    from answerable.store.segment_scope import SOURCE, SegmentScope

    logged = f"SELECT 1 FROM skimmed WHERE source = '{BEDROCK}' LIMIT 1"  # noqa: S608 - ours
    scope = SegmentScope(alternatives=({SOURCE: {BEDROCK}},))
    if not any(store.run_query(logged, scope=scope)):
        return ()
    request = build_fact_sql("request_id", "''")
    records, calls = (
        "SELECT e.*, coalesce(nullif(e.session, ''), e.identity) AS caller, "  # noqa: S608 - ours
        f"{request} AS request FROM events e "
        f"WHERE e.source = '{source}' AND {_TRUSTED}"
        for source in (BEDROCK, CLOUDTRAIL)
    )
    query = (
        "SELECT r.event_time, r.identity, r.session, lower(hex(e.event_id)), "  # noqa: S608 - ours
        f"{_KEYS} FROM ({records}) r LEFT JOIN ({calls} AND e.credential <> '' "
        "AND starts_with(e.action, 'bedrock:')) e ON r.scope = e.scope "
        "AND r.caller = e.caller AND r.request = e.request AND r.request <> ''"
    )
    return join_invocations(
        (
            InvocationRecord(
                cast("int", at),
                get_presented_subject(
                    ChainKey(str(identity), "", str(session), "", ""), BEDROCK
                ),
                ChainKey(*map(str, key)) if event is not None else None,
                str(event or ""),
            )
            for at, identity, session, event, *key in store.run_query(query)
        ),
        CLOUDTRAIL,
    )


def read_delegated_issuances(store: "EvidenceStore") -> Iterator[CredentialIssuance]:
    """Read the impersonations of all events, as issuances of delegated credentials.

    The first event of each path stands for it. A path of three identities is two
    issuances.
    """
    from answerable.store.segment_scope import IMPERSONATION, build_kind_scope

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
    for row in store.run_query(query, scope=build_kind_scope(IMPERSONATION)):
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
