"""List the permission rows that resource policies grant directly to a principal."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from answerable.model.ids import ResourceId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principal_element import PrincipalElement
from answerable.reach.aws.compiled.principal_matching import (
    NamingFormulas,
    match_principal,
)
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
)
from answerable.reach.aws.compiled.s3_public_access import find_public_access_block
from answerable.reach.aws.compiled.service_facts import RCP_SERVICES
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyStatement,
    StatementTerms,
    evaluate_conditions,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.pattern_requests import RESOURCE_POLICY_KEY
from answerable.reach.aws.evaluation.request import name_gap
from answerable.reach.aws.evaluation.resource_policies import Namer, ResourcePolicy
from answerable.reach.aws.patterns.arns import ArnParts
from answerable.reach.aws.patterns.globs import ANY_TEXT, decode_glob
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    ALL_ACTIONS,
    ALL_RESOURCES,
    RESOURCES,
    PatternTerm,
    intersect,
    is_disjoint,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    PrincipalSpans,
    narrow_row,
)
from answerable.reach.aws.permission_rows.row_types import (
    SCOPE,
    PermissionRow,
    RowFilter,
    TermPairTest,
)
from answerable.reach.aws.permission_rows.spans import (
    StatementSpan,
    filter_span,
    list_fixed_terms,
    list_spans,
)
from answerable.reach.formula import FALSE, TRUE, Formula, build_atom, conjoin, negate


def list_granted_rows(
    estate: CompiledAccounts,
    principal: CompiledPrincipal,
    standing: PrincipalSpans,
    wanted: RowFilter,
    told: TermPairTest,
) -> Iterator[PermissionRow]:
    """List the rows that resource policies grant to a principal directly.

    Grants to its account are listed by its own statements.

    Args:
        estate: The compiled accounts.
        principal: The principal.
        standing: Its own allows, limits and denies.
        wanted: Filter of the rows.
        told: Tells whether earlier rows cover actions on resources.
    """
    if told(ALL_ACTIONS, ALL_RESOURCES):
        return
    identity = principal.identity
    session = f"{identity.account} {identity.name}"
    keys = ("*", identity.id, identity.unique_id or identity.id, session)
    seen: dict[ResourcePolicy, None] = {}
    for key in keys:
        seen |= dict.fromkeys(estate.granters.get(key, ()))
    known = estate.given.merge_over(principal.known)
    services = _list_requested_services(seen, wanted)
    for own in seen:
        if own.service not in services:
            continue
        untold = [
            on
            for on in list_requested_scope(own, wanted)
            if _may_grant_more(own, on, wanted, told)
        ]
        found_ways = list_naming_ways(own, principal, known) if untold else []
        inside = standing.select_for_service(own.service)
        for on in untold:
            for way in found_ways:
                scope = _GrantScope(own, on, way)
                yield from _list_policy_rows(
                    estate, principal, inside, scope, wanted, told
                )


def _list_requested_services(
    policies: Iterable[ResourcePolicy], wanted: RowFilter
) -> set[str]:
    """List the policies' services that the filter's actions belong to."""
    found = {own.service for own in policies}
    return {
        service
        for service in found
        if not is_disjoint(
            ACTIONS, PatternTerm(f"{service}:{ANY_TEXT}"), wanted.actions
        )
    }


def _may_grant_more(
    own: ResourcePolicy,
    on: PatternTerm[ArnParts],
    wanted: RowFilter,
    told: TermPairTest,
) -> bool:
    """Tell whether a policy may grant more than the rows listed before."""
    offers = _list_offered_terms(own, on)
    if offers is None or not wanted.matches_all:
        return True
    return not all(told(actions, resources) for actions, resources in offers)


def _list_offered_terms(
    own: ResourcePolicy, on: PatternTerm[ArnParts]
) -> StatementTerms | None:
    """List pattern pairs a policy may grant; None if variables decide them."""
    if on.pattern not in own.offers:
        allows = [g.clause for g in own.grants if g.clause.effect is PolicyEffect.ALLOW]
        varies = own.gaps or not all(clause.parts for clause in allows)
        found = {
            (actions, intersect(RESOURCES, resources, on)[0]): None
            for clause in (() if varies else allows)
            for actions, resources in list_fixed_terms(clause)
            if not is_disjoint(RESOURCES, resources, on)
        }
        own.offers[on.pattern] = None if varies else tuple(found)
    return own.offers[on.pattern]


def list_naming_ways(
    own: ResourcePolicy, principal: CompiledPrincipal, known: ContextKeys
) -> list[str]:
    """List how a policy's allows name a principal: by ARN, account, everyone."""
    found = {"direct"} if own.gaps else set()
    for grant in own.grants:
        if grant.clause.effect is PolicyEffect.ALLOW:
            named = {
                how for how, _ in match_principal(grant.clause, principal, known)
            } - {"account"}
            if named - found and evaluate_conditions(grant.clause, known) != FALSE:
                found |= named
    return sorted(found, reverse=True)


def list_requested_scope(
    own: ResourcePolicy, wanted: RowFilter
) -> Iterator[PatternTerm[ArnParts]]:
    """List the ARN patterns of a resource policy that the filter includes."""
    if is_disjoint(ACTIONS, PatternTerm(f"{own.service}:{ANY_TEXT}"), wanted.actions):
        return
    for spoken in own.spoken_of:
        on = PatternTerm(spoken)
        if not is_disjoint(
            RESOURCES, on, wanted.resources
        ) and wanted.matches_flat_glob(spoken):
            yield on


class _GrantScope(NamedTuple):
    """Resources of a policy, and the way in which it names a principal."""

    policy: ResourcePolicy
    on: PatternTerm[ArnParts]
    way: str


def _list_policy_rows(
    estate: CompiledAccounts,
    principal: CompiledPrincipal,
    standing: PrincipalSpans,
    scope: _GrantScope,
    wanted: RowFilter,
    told: TermPairTest,
) -> Iterator[PermissionRow]:
    """Yield rows that one policy grants in one way, less limits and denies."""
    own, on, way = scope
    near = own.account in ("", principal.identity.account)
    limits = standing.list_limits_on_grant(near=near, escaping=way == "escaping")

    def keeps(actions: PatternTerm[str], resources: PatternTerm[ArnParts]) -> bool:
        if told(actions, resources):
            return False
        return all(limit.may_allow(actions, resources) for limit in limits)

    offers = _list_offered_terms(own, on) if wanted.matches_all else None
    if offers is not None and not any(keeps(*each) for each in offers):
        return
    known = principal.collect_known_keys(on.pattern)
    asker = RowCaller(
        build_namer(principal, way, estate.given), known, near, principal.linked, keeps
    )
    for row in list_rows_on_resource(estate, own, on, wanted, asker):
        gaps = standing.gaps + row.gaps
        yield from narrow_row(estate, row, limits, standing.denies, gaps)


def build_namer(principal: CompiledPrincipal, way: str, given: ContextKeys) -> Namer:
    """Build a function that matches allows naming a principal in one way, and denies.

    Args:
        principal: The principal.
        way: As `list_naming_ways` lists them.
        given: Stated condition keys.
    """

    def namer(clause: CompiledStatement) -> NamingFormulas:
        named = match_principal(clause, principal, given)
        denies = clause.effect is PolicyEffect.DENY
        return [pair for pair in named if denies or pair[0] == way]

    return namer


def keep_all_rows(actions: PatternTerm[str], resources: PatternTerm[ArnParts]) -> bool:
    """Accept every row."""
    return True


@dataclass(frozen=True, slots=True)
class RowCaller:
    """Caller as a resource policy sees it.

    Attributes:
        namer: Matches the Principal element against the caller.
        known: Condition keys known for every request it makes on the resource.
        exempt: Whether public-access blocks do not bind it.
        linked: Whether RCPs do not bind it.
        keeps: Tells whether some of actions on resources can remain after limits.
    """

    namer: Namer
    known: ContextKeys
    exempt: bool
    linked: bool = False
    keeps: TermPairTest = keep_all_rows


def list_rows_on_resource(
    estate: CompiledAccounts,
    own: ResourcePolicy,
    on: PatternTerm[ArnParts],
    wanted: RowFilter,
    asker: RowCaller,
) -> Iterator[PermissionRow]:
    """Yield rows one resource policy grants, less its own and RCP denies."""
    place = estate.describe_resource(
        decode_glob(":".join(on.pattern)), wild=ANY_TEXT in on.pattern[-1]
    )
    known = estate.given.merge_over(place.known).merge_over(asker.known)
    spans = list(list_spans(own.grants, known, asker.namer))
    allows = [span for span in spans if not span.denies]
    rows = (
        *_list_allowed_rows(allows, on, wanted),
        *_list_unread_rows(own, on, wanted, asker),
    )
    kept = [row for row in rows if asker.keeps(row.actions, row.resources)]
    if not kept:
        return
    denies = [span for span in spans if span.denies]
    gaps = own.gaps
    bound = own.service in RCP_SERVICES and not asker.linked
    fence = estate.fences.get(own.account) if bound else None
    if fence:
        denies += list_spans(_select_for_service(fence.denies, own.service), known)
        gaps += fence.gaps
    let_in = TRUE if asker.exempt else _build_public_access_condition(estate, own)
    if ResourceId(own.resource) in estate.doors:
        let_in = conjoin(
            let_in, build_atom(RESOURCE_POLICY_KEY, "Matches", (own.resource,))
        )
    for row in kept:
        opened = row._replace(formula=conjoin(row.formula, let_in))
        yield from narrow_row(estate, opened, (), denies, gaps)


def _select_for_service(
    grants: Iterable[PolicyStatement], service: str
) -> Iterator[PolicyStatement]:
    """Drop the statements that are only on other services."""
    for grant in grants:
        services = grant.clause.services
        if services is None or service in services:
            yield grant


def _list_allowed_rows(
    allows: Iterable[StatementSpan], on: PatternTerm[ArnParts], wanted: RowFilter
) -> Iterator[PermissionRow]:
    """Yield a row for each allow, restricted to a resource pattern."""
    for span in allows:
        if is_disjoint(RESOURCES, span.resources, on):
            continue
        met, exact = intersect(RESOURCES, span.resources, on)
        formula = span.formula
        if not exact:
            label = f"{span.grant.policy}#{span.grant.sid}"
            formula = conjoin(formula, build_atom(SCOPE, "Matches", (label,)))
        shown = span.shown if met == span.resources else ""
        inside = span._replace(resources=met, shown=shown, formula=formula)
        row = filter_span(inside, wanted)
        if row:
            yield row


def _list_unread_rows(
    own: ResourcePolicy, on: PatternTerm[ArnParts], wanted: RowFilter, asker: RowCaller
) -> Iterator[PermissionRow]:
    """Yield open rows for unread statements that may grant to the caller."""
    if not asker.namer(PUBLIC_FULL_ACCESS_STATEMENT):
        return
    for gap in own.gaps:
        actions = PatternTerm(f"{own.service}:{ANY_TEXT}")
        if not is_disjoint(ACTIONS, actions, wanted.actions):
            by = (name_gap(gap),)
            yield PermissionRow(actions, on, "", gap.get_open_condition("Allows"), by)


# Names everyone directly, as an unread statement might.
PUBLIC_FULL_ACCESS_STATEMENT = replace(
    FULL_ACCESS_STATEMENT,
    naming=PrincipalElement(everyone=True),
    principals=(("AWS", "*"),),
)


def _build_public_access_condition(
    estate: CompiledAccounts, own: ResourcePolicy
) -> Formula:
    """Build the condition that S3 Block Public Access does not apply."""
    if own.service != "s3":
        return TRUE
    shut = find_public_access_block(estate, own)
    return negate(shut[0]) if shut else TRUE
