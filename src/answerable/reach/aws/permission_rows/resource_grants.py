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
    evaluate_statement_conditions,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.pattern_requests import RESOURCE_POLICY_KEY
from answerable.reach.aws.evaluation.request import describe_gap
from answerable.reach.aws.evaluation.resource_policies import Namer, ResourcePolicy
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT, decode_glob
from answerable.reach.aws.patterns.pattern_set_algebra import (
    ACTIONS,
    ALL_ACTIONS,
    ALL_RESOURCES,
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
    intersect_patterns,
)
from answerable.reach.aws.permission_rows.principal_spans import (
    PrincipalSpans,
    apply_limits_and_denies_to_row,
)
from answerable.reach.aws.permission_rows.row_types import (
    SCOPE,
    PermissionRow,
    RowFilter,
    TermPairTest,
)
from answerable.reach.aws.permission_rows.statement_spans import (
    StatementSpan,
    build_row_from_span,
    list_constant_pattern_pairs,
    list_pattern_pairs_of_statements,
)
from answerable.reach.condition_formula import (
    FALSE,
    TRUE,
    Formula,
    build_atom,
    conjoin,
    negate,
)


def list_resource_policy_rows(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    spans: PrincipalSpans,
    row_filter: RowFilter,
    is_covered: TermPairTest,
) -> Iterator[PermissionRow]:
    """List the rows that resource policies grant to a principal directly.

    Grants to its account are listed by its own statements.

    Args:
        accounts: The compiled accounts.
        principal: The principal.
        spans: Its own allows, limits and denies.
        row_filter: Filter of the rows.
        is_covered: Tells whether earlier rows cover actions on resources.
    """
    if is_covered(ALL_ACTIONS, ALL_RESOURCES):
        return
    identity = principal.identity
    session = f"{identity.account} {identity.name}"
    keys = ("*", identity.id, identity.unique_id or identity.id, session)
    seen: dict[ResourcePolicy, None] = {}
    for key in keys:
        seen |= dict.fromkeys(accounts.granting_policies.get(key, ()))
    known = accounts.given.merge_over(principal.known)
    services = _list_services_in_filter(seen, row_filter)
    for own in seen:
        if own.service not in services:
            continue
        untold = [
            on
            for on in list_requested_arn_patterns(own, row_filter)
            if _may_policy_grant_further_rows(own, on, row_filter, is_covered)
        ]
        found_ways = (
            list_ways_policy_names_principal(own, principal, known) if untold else []
        )
        inside = spans.select_spans_on_service(own.service)
        for on in untold:
            for way in found_ways:
                scope = _GrantScope(own, on, way)
                yield from _list_rows_granted_by_policy(
                    accounts, principal, inside, scope, row_filter, is_covered
                )


def _list_services_in_filter(
    policies: Iterable[ResourcePolicy], row_filter: RowFilter
) -> set[str]:
    """List the policies' services that the filter's actions belong to."""
    found = {own.service for own in policies}
    return {
        service
        for service in found
        if not are_patterns_disjoint(
            ACTIONS, PatternTerm(f"{service}:{ANY_TEXT}"), row_filter.actions
        )
    }


def _may_policy_grant_further_rows(
    policy: ResourcePolicy,
    pattern: PatternTerm[ArnParts],
    row_filter: RowFilter,
    is_covered: TermPairTest,
) -> bool:
    """Return whether a policy may grant more than the rows listed before."""
    offers = _list_grantable_pattern_pairs(policy, pattern)
    if offers is None or not row_filter.accepts_every_row:
        return True
    return not all(is_covered(actions, resources) for actions, resources in offers)


def _list_grantable_pattern_pairs(
    policy: ResourcePolicy, pattern: PatternTerm[ArnParts]
) -> StatementTerms | None:
    """List pattern pairs a policy may grant; None if variables decide them."""
    if pattern.pattern not in policy.offers:
        allows = [
            g.clause for g in policy.grants if g.clause.effect is PolicyEffect.ALLOW
        ]
        varies = policy.gaps or not all(clause.parts for clause in allows)
        found = {
            (actions, intersect_patterns(RESOURCES, resources, pattern)[0]): None
            for clause in (() if varies else allows)
            for actions, resources in list_constant_pattern_pairs(clause)
            if not are_patterns_disjoint(RESOURCES, resources, pattern)
        }
        policy.offers[pattern.pattern] = None if varies else tuple(found)
    return policy.offers[pattern.pattern]


def list_ways_policy_names_principal(
    policy: ResourcePolicy, principal: CompiledPrincipal, context_keys: ContextKeys
) -> list[str]:
    """List how a policy's allows name a principal: by ARN, account, everyone."""
    found = {"direct"} if policy.gaps else set()
    for grant in policy.grants:
        if grant.clause.effect is PolicyEffect.ALLOW:
            named = {
                how for how, _ in match_principal(grant.clause, principal, context_keys)
            } - {"account"}
            if (
                named - found
                and evaluate_statement_conditions(grant.clause, context_keys) != FALSE
            ):
                found |= named
    return sorted(found, reverse=True)


def list_requested_arn_patterns(
    policy: ResourcePolicy, row_filter: RowFilter
) -> Iterator[PatternTerm[ArnParts]]:
    """List the ARN patterns of a resource policy that the filter includes."""
    if are_patterns_disjoint(
        ACTIONS, PatternTerm(f"{policy.service}:{ANY_TEXT}"), row_filter.actions
    ):
        return
    for spoken in policy.spoken_of:
        on = PatternTerm(spoken)
        if not are_patterns_disjoint(
            RESOURCES, on, row_filter.resources
        ) and row_filter.may_match_resource_pattern(spoken):
            yield on


class _GrantScope(NamedTuple):
    """Resources of a policy, and the way in which it names a principal."""

    policy: ResourcePolicy
    on: PatternTerm[ArnParts]
    way: str


def _list_rows_granted_by_policy(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    spans: PrincipalSpans,
    scope: _GrantScope,
    row_filter: RowFilter,
    is_covered: TermPairTest,
) -> Iterator[PermissionRow]:
    """Yield rows that one policy grants in one way, less limits and denies."""
    own, on, way = scope
    near = own.account in ("", principal.identity.account)
    limits = spans.list_limits_on_resource_grant(
        same_account=near, bypasses_boundary=way == "escaping"
    )

    def keeps(actions: PatternTerm[str], resources: PatternTerm[ArnParts]) -> bool:
        if is_covered(actions, resources):
            return False
        return all(
            limit.may_allow_some_resources(actions, resources) for limit in limits
        )

    offers = (
        _list_grantable_pattern_pairs(own, on) if row_filter.accepts_every_row else None
    )
    if offers is not None and not any(keeps(*each) for each in offers):
        return
    known = principal.collect_known_condition_keys(on.pattern)
    caller = RowCaller(
        build_statement_matcher_for_principal(principal, way, accounts.given),
        known,
        near,
        principal.linked,
        keeps,
    )
    for row in list_rows_of_resource_policy(accounts, own, on, row_filter, caller):
        gaps = spans.gaps + row.gaps
        yield from apply_limits_and_denies_to_row(
            accounts, row, limits, spans.denies, gaps
        )


def build_statement_matcher_for_principal(
    principal: CompiledPrincipal, match_kind: str, query_keys: ContextKeys
) -> Namer:
    """Build a function that matches allows naming a principal in one way, and denies.

    Args:
        principal: The principal.
        match_kind: As `list_ways_policy_names_principal` lists them.
        query_keys: Stated condition keys.
    """

    def namer(clause: CompiledStatement) -> NamingFormulas:
        named = match_principal(clause, principal, query_keys)
        denies = clause.effect is PolicyEffect.DENY
        return [pair for pair in named if denies or pair[0] == match_kind]

    return namer


def accept_every_row(
    actions: PatternTerm[str], resources: PatternTerm[ArnParts]
) -> bool:
    """Accept every permission row: the filter of an unfiltered list."""
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
    keeps: TermPairTest = accept_every_row


def list_rows_of_resource_policy(
    accounts: CompiledAccounts,
    policy: ResourcePolicy,
    pattern: PatternTerm[ArnParts],
    row_filter: RowFilter,
    caller: RowCaller,
) -> Iterator[PermissionRow]:
    """Yield rows one resource policy grants, less its own and RCP denies."""
    place = accounts.look_up_resource(
        decode_glob(":".join(pattern.pattern)),
        is_pattern=ANY_TEXT in pattern.pattern[-1],
    )
    known = accounts.given.merge_over(place.known).merge_over(caller.known)
    spans = list(list_pattern_pairs_of_statements(policy.grants, known, caller.namer))
    allows = [span for span in spans if not span.is_deny]
    rows = (
        *_list_rows_of_allow_statements(allows, pattern, row_filter),
        *_list_rows_of_unread_statements(policy, pattern, row_filter, caller),
    )
    kept = [row for row in rows if caller.keeps(row.actions, row.resources)]
    if not kept:
        return
    denies = [span for span in spans if span.is_deny]
    gaps = policy.gaps
    bound = policy.service in RCP_SERVICES and not caller.linked
    fence = accounts.rcps.get(policy.account) if bound else None
    if fence:
        denies += list_pattern_pairs_of_statements(
            _select_statements_on_service(fence.denies, policy.service), known
        )
        gaps += fence.gaps
    let_in = TRUE if caller.exempt else _build_public_access_condition(accounts, policy)
    if ResourceId(policy.resource) in accounts.access_points:
        let_in = conjoin(
            let_in, build_atom(RESOURCE_POLICY_KEY, "Matches", (policy.resource,))
        )
    for row in kept:
        opened = row._replace(formula=conjoin(row.formula, let_in))
        yield from apply_limits_and_denies_to_row(accounts, opened, (), denies, gaps)


def _select_statements_on_service(
    grants: Iterable[PolicyStatement], service: str
) -> Iterator[PolicyStatement]:
    """Drop the statements that are only on other services."""
    for grant in grants:
        services = grant.clause.services
        if services is None or service in services:
            yield grant


def _list_rows_of_allow_statements(
    allows: Iterable[StatementSpan],
    pattern: PatternTerm[ArnParts],
    row_filter: RowFilter,
) -> Iterator[PermissionRow]:
    """Yield a row for each allow, restricted to a resource pattern."""
    for span in allows:
        if are_patterns_disjoint(RESOURCES, span.resources, pattern):
            continue
        met, exact = intersect_patterns(RESOURCES, span.resources, pattern)
        formula = span.formula
        if not exact:
            label = f"{span.grant.policy}#{span.grant.sid}"
            formula = conjoin(formula, build_atom(SCOPE, "Matches", (label,)))
        shown = span.shown if met == span.resources else ""
        inside = span._replace(resources=met, shown=shown, formula=formula)
        row = build_row_from_span(inside, row_filter)
        if row:
            yield row


def _list_rows_of_unread_statements(
    policy: ResourcePolicy,
    pattern: PatternTerm[ArnParts],
    row_filter: RowFilter,
    caller: RowCaller,
) -> Iterator[PermissionRow]:
    """Yield undecided rows for unreadable statements that may grant to the caller."""
    if not caller.namer(PUBLIC_FULL_ACCESS_STATEMENT):
        return
    for gap in policy.gaps:
        actions = PatternTerm(f"{policy.service}:{ANY_TEXT}")
        if not are_patterns_disjoint(ACTIONS, actions, row_filter.actions):
            by = (describe_gap(gap),)
            yield PermissionRow(
                actions, pattern, "", gap.get_open_condition("Allows"), by
            )


# Names everyone directly, as an unread statement might.
PUBLIC_FULL_ACCESS_STATEMENT = replace(
    FULL_ACCESS_STATEMENT,
    naming=PrincipalElement(everyone=True),
    principals=(("AWS", "*"),),
)


def _build_public_access_condition(
    accounts: CompiledAccounts, policy: ResourcePolicy
) -> Formula:
    """Build the condition that S3 Block Public Access does not apply."""
    if policy.service != "s3":
        return TRUE
    shut = find_public_access_block(accounts, policy)
    return negate(shut[0]) if shut else TRUE
