"""Permission rows that resource policies grant to a principal directly."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from answerable.model.ids import ResourceId
from answerable.model.policy import Effect
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principal_element import Naming
from answerable.reach.aws.compiled.principal_matching import Names, names
from answerable.reach.aws.compiled.principals import EVERYTHING_CLAUSE, Principal
from answerable.reach.aws.compiled.s3_public_access import shut_by
from answerable.reach.aws.compiled.service_facts import RCP_SERVICES
from answerable.reach.aws.compiled.statements import Clause, Grant, Terms, held
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.pattern_requests import RESOURCE_POLICY
from answerable.reach.aws.evaluation.request import unread_name
from answerable.reach.aws.evaluation.resource_policies import Namer, ResourcePolicy
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.aws.patterns.globs import STAR, outward
from answerable.reach.aws.patterns.terms import (
    ACTIONS,
    ALL_ACTIONS,
    ALL_RESOURCES,
    RESOURCES,
    Term,
    disjoint,
    meet,
)
from answerable.reach.aws.permission_rows.principal_spans import Standing, narrowed
from answerable.reach.aws.permission_rows.row_types import SCOPE, Filter, Row, Speaks
from answerable.reach.aws.permission_rows.spans import (
    Span,
    filtered,
    fixed_terms,
    spans_of,
)
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, negation


def granted_rows(
    estate: Estate,
    principal: Principal,
    standing: Standing,
    wanted: Filter,
    told: Speaks,
) -> Iterator[Row]:
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
    known = estate.given.over(principal.known)
    services = _wanted_services(seen, wanted)
    for own in seen:
        if own.service not in services:
            continue
        untold = [on for on in asked_of(own, wanted) if _may_add(own, on, wanted, told)]
        found_ways = ways_in(own, principal, known) if untold else []
        inside = standing.speaking_of(own.service)
        for on in untold:
            for way in found_ways:
                yield from _of(estate, principal, inside, own, on, wanted, way, told)


def _wanted_services(policies: Iterable[ResourcePolicy], wanted: Filter) -> set[str]:
    """List the services of some policies that the filter's actions may belong to."""
    found = {own.service for own in policies}
    return {
        service
        for service in found
        if not disjoint(ACTIONS, Term(f"{service}:{STAR}"), wanted.actions)
    }


def _may_add(
    own: ResourcePolicy, on: Term[Parts], wanted: Filter, told: Speaks
) -> bool:
    """Tell whether a policy may grant more than earlier rows cover."""
    offers = _offers(own, on)
    if offers is None or not wanted.is_all:
        return True
    return not all(told(actions, resources) for actions, resources in offers)


def _offers(own: ResourcePolicy, on: Term[Parts]) -> Terms | None:
    """List the terms that a policy may grant; None where they depend on variables."""
    if on.pattern not in own.offers:
        allows = [g.clause for g in own.grants if g.clause.effect is Effect.ALLOW]
        varies = own.gaps or not all(clause.parts for clause in allows)
        found = {
            (actions, meet(RESOURCES, resources, on)[0]): None
            for clause in (() if varies else allows)
            for actions, resources in fixed_terms(clause)
            if not disjoint(RESOURCES, resources, on)
        }
        own.offers[on.pattern] = None if varies else tuple(found)
    return own.offers[on.pattern]


def ways_in(own: ResourcePolicy, principal: Principal, known: Known) -> list[str]:
    """List the ways in which a policy's allows name a principal."""
    found = {"direct"} if own.gaps else set()
    for grant in own.grants:
        if grant.clause.effect is Effect.ALLOW:
            named = {how for how, _ in names(grant.clause, principal, known)} - {
                "account"
            }
            if named - found and held(grant.clause, known) != FALSE:
                found |= named
    return sorted(found, reverse=True)


def asked_of(own: ResourcePolicy, wanted: Filter) -> Iterator[Term[Parts]]:
    """List the ARN patterns of a resource policy that the filter includes."""
    if disjoint(ACTIONS, Term(f"{own.service}:{STAR}"), wanted.actions):
        return
    for spoken in own.spoken_of:
        on = Term(spoken)
        if not disjoint(RESOURCES, on, wanted.resources) and wanted.flat_fits(spoken):
            yield on


def _of(
    estate: Estate,
    principal: Principal,
    standing: Standing,
    own: ResourcePolicy,
    on: Term[Parts],
    wanted: Filter,
    way: str,
    told: Speaks,
) -> Iterator[Row]:
    near = own.account in ("", principal.identity.account)
    limits = standing.over_granted(near=near, escaping=way == "escaping")

    def keeps(actions: Term[str], resources: Term[Parts]) -> bool:
        if told(actions, resources):
            return False
        return all(limit.lets(actions, resources) for limit in limits)

    offers = _offers(own, on) if wanted.is_all else None
    if offers is not None and not any(keeps(*each) for each in offers):
        return
    known = principal.knows(on.pattern)
    asker = Asker(
        namer_of(principal, way, estate.given), known, near, principal.linked, keeps
    )
    for row in rows_on(estate, own, on, wanted, asker):
        gaps = standing.gaps + row.gaps
        yield from narrowed(estate, row, limits, standing.denies, gaps)


def namer_of(principal: Principal, way: str, given: Known) -> Namer:
    """Build a function that matches allows naming a principal in one way, and denies.

    Args:
        principal: The principal.
        way: As `ways_in` lists them.
        given: Stated condition keys.
    """

    def namer(clause: Clause) -> Names:
        named = names(clause, principal, given)
        denies = clause.effect is Effect.DENY
        return [pair for pair in named if denies or pair[0] == way]

    return namer


def any_row(actions: Term[str], resources: Term[Parts]) -> bool:
    """Accept every row."""
    return True


@dataclass(frozen=True, slots=True)
class Asker:
    """Caller as a resource policy sees it.

    Attributes:
        namer: Matches the Principal element against the caller.
        known: Condition keys known for every request it makes on the resource.
        exempt: Whether public-access blocks do not bind it.
        linked: Whether RCPs do not bind it.
        keeps: Tells whether some of actions on resources can remain after limits.
    """

    namer: Namer
    known: Known
    exempt: bool
    linked: bool = False
    keeps: Speaks = any_row


def rows_on(
    estate: Estate,
    own: ResourcePolicy,
    on: Term[Parts],
    wanted: Filter,
    asker: Asker,
) -> Iterator[Row]:
    """List the rows that a resource policy grants, less its own and RCP denies."""
    place = estate.place(outward(":".join(on.pattern)), wild=STAR in on.pattern[-1])
    known = estate.given.over(place.known).over(asker.known)
    spans = list(spans_of(own.grants, known, asker.namer))
    allows = [span for span in spans if not span.denies]
    rows = (*_allowed(allows, on, wanted), *_unread(own, on, wanted, asker))
    kept = [row for row in rows if asker.keeps(row.actions, row.resources)]
    if not kept:
        return
    denies = [span for span in spans if span.denies]
    gaps = own.gaps
    bound = own.service in RCP_SERVICES and not asker.linked
    fence = estate.fences.get(own.account) if bound else None
    if fence:
        denies += spans_of(_speaking_of(fence.denies, own.service), known)
        gaps += fence.gaps
    let_in = TRUE if asker.exempt else _let_in(estate, own)
    if ResourceId(own.resource) in estate.doors:
        let_in = both(let_in, atom(RESOURCE_POLICY, "Matches", (own.resource,)))
    for row in kept:
        opened = row._replace(formula=both(row.formula, let_in))
        yield from narrowed(estate, opened, (), denies, gaps)


def _speaking_of(grants: Iterable[Grant], service: str) -> Iterator[Grant]:
    """Drop statements on other services only."""
    for grant in grants:
        services = grant.clause.services
        if services is None or service in services:
            yield grant


def _allowed(allows: Iterable[Span], on: Term[Parts], wanted: Filter) -> Iterator[Row]:
    for span in allows:
        if disjoint(RESOURCES, span.resources, on):
            continue
        met, exact = meet(RESOURCES, span.resources, on)
        formula = span.formula
        if not exact:
            label = f"{span.grant.policy}#{span.grant.sid}"
            formula = both(formula, atom(SCOPE, "Matches", (label,)))
        shown = span.shown if met == span.resources else ""
        inside = span._replace(resources=met, shown=shown, formula=formula)
        row = filtered(inside, wanted)
        if row:
            yield row


def _unread(
    own: ResourcePolicy, on: Term[Parts], wanted: Filter, asker: Asker
) -> Iterator[Row]:
    """Yield open rows for unread statements, which may name the caller directly."""
    if not asker.namer(EVERYTHING_FOR_ALL):
        return
    for gap in own.gaps:
        actions = Term(f"{own.service}:{STAR}")
        if not disjoint(ACTIONS, actions, wanted.actions):
            by = (unread_name(gap),)
            yield Row(actions, on, "", gap.may("Allows"), by)


# Names everyone directly, as an unread statement might.
EVERYTHING_FOR_ALL = replace(
    EVERYTHING_CLAUSE, naming=Naming(everyone=True), principals=(("AWS", "*"),)
)


def _let_in(estate: Estate, own: ResourcePolicy) -> Formula:
    if own.service != "s3":
        return TRUE
    shut = shut_by(estate, own)
    return negation(shut[0]) if shut else TRUE
