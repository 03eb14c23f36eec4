"""Queries about callers outside the snapshot.

They have the permissions that resource policies grant them, and enter roles whose trust
policies admit them.
"""

from collections.abc import Iterator

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.external_callers import (
    Caller,
    CallerKind,
    caller_of,
    named,
)
from answerable.reach.aws.compiled.principal_element import account_of, session_of
from answerable.reach.aws.compiled.principal_matching import Names
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.evaluate_principal import own_policy
from answerable.reach.aws.evaluation.request import Request
from answerable.reach.aws.evaluation.resource_policies import Own
from answerable.reach.aws.evaluation.trust import Entry
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.patterns.arns import overlaps_parts
from answerable.reach.aws.permission_rows.principal_spans import narrowed
from answerable.reach.aws.permission_rows.resource_grants import (
    Asker,
    asked_of,
    rows_on,
)
from answerable.reach.aws.permission_rows.row_types import Filter, Row
from answerable.reach.aws.permission_rows.spans import (
    Limiting,
    Span,
    limiting,
    spans_of,
)


def callers_of(estate: Estate, call: Request) -> Iterator[Caller]:
    """List the outside callers that resource policies name.

    For a pattern these are the policies of all resources that may match it.
    """
    seen: dict[str, None] = {}
    for own in _policies_of(estate, call):
        for grant in own.speaking(call.action):
            if grant.clause.effect is Effect.ALLOW:
                seen |= dict.fromkeys(_listed(grant.clause))
    for text in seen:
        caller = caller_of(text, estate.accounts)
        if caller and not estate.is_collected(caller.account):
            yield caller


def _policies_of(estate: Estate, call: Request) -> Iterator[Own]:
    if not call.wild:
        own = own_policy(estate, call)
        if own is not None:
            yield own
        return
    service = call.action.partition(":")[0]
    for policy in estate.holders.values():
        if policy.service == service and any(
            overlaps_parts(parts, call.parts) for parts in policy.spoken_of
        ):
            yield policy


def _listed(clause: Clause) -> Iterator[str]:
    if clause.not_principals:
        yield "*"
    for _, value in clause.principals:
        yield value


def entries_of(graph: Graph, caller: Caller) -> Iterator[tuple[IdentityId, Entry]]:
    """List the roles whose trust policy admits a caller."""
    for role in graph.estate.trusts:
        for entry in graph.entries(role):
            if _is_by(entry, caller):
                yield role, entry


def _is_by(entry: Entry, caller: Caller) -> bool:
    match caller.kind:
        case CallerKind.SERVICE:
            return entry.kind == "Service" and entry.principal == caller.id
        case CallerKind.PROVIDER:
            return entry.kind == "Federated" and entry.principal == caller.id
        case CallerKind.ANONYMOUS:
            return entry.kind == "AWS" and entry.principal == "*"
        case CallerKind.FOREIGN:
            return entry.kind == "AWS" and _is_named(entry.principal, caller)


def _is_named(text: str, caller: Caller) -> bool:
    if text in ("*", caller.id) or account_of(text) == caller.account:
        return True
    session = session_of(caller.id)
    role = f":{caller.account}:role/"
    return bool(session and role in text and text.rpartition("/")[2] == session[1])


def rows_as(estate: Estate, caller: Caller, wanted: Filter) -> Iterator[Row]:
    """List the permission rows that resource policies grant to a caller."""

    def namer(clause: Clause) -> Names:
        found = named(clause, caller)
        if caller.kind is CallerKind.FOREIGN or clause.effect is Effect.DENY:
            return found
        return [pair for pair in found if pair[0] == "direct"]

    limits, denies = _through_endpoint(estate, caller)
    gaps = estate.endpoint.gaps if estate.endpoint else ()
    for own in estate.holders.values():
        if not own.gaps and not any(namer(grant.clause) for grant in own.grants):
            continue
        for on in asked_of(own, wanted):
            exempt = caller.kind is CallerKind.SERVICE
            asker = Asker(namer, caller.knows(on.pattern), exempt)
            for row in rows_on(estate, own, on, wanted, asker):
                yield from narrowed(estate, row, limits, denies, gaps + row.gaps)


def _through_endpoint(
    estate: Estate, caller: Caller
) -> tuple[tuple[Limiting, ...], tuple[Span, ...]]:
    if estate.endpoint is None:
        return (), ()
    known = estate.given.over(caller.known)
    grants = estate.endpoint.grants
    spans = list(spans_of(grants, known, lambda clause: named(clause, caller)))
    limit = limiting(spans, estate.endpoint.gaps)
    return (limit,), tuple(span for span in spans if span.denies)
