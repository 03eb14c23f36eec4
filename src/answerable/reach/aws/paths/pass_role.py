"""Edges by `iam:PassRole`: a service runs code under a passed role."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.trust_index import service_kind
from answerable.reach.aws.escalation_rules.registry import (
    AWAITED,
    EXISTING,
    KINDS,
    LAUNCHES,
    Launch,
    Need,
)
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.policy_layers import surely
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.evaluation.trust import Entry
from answerable.reach.aws.paths.edges import Edge, Node, Only, is_sure, make_edge
from answerable.reach.aws.paths.hop_evaluation import may
from answerable.reach.aws.paths.witness_resources import Answers, together
from answerable.reach.formula import FALSE, TRUE, atom

PASS_ROLE = "iam:PassRole"  # noqa: S105 - an action


class _Graph(Protocol):
    estate: Estate

    def service_entries(self, role: IdentityId, service: str) -> Iterator[Entry]: ...

    def resources(self, kind: str, account: str) -> tuple[str, ...]: ...


def launching(
    graph: _Graph, principal: Principal, best: Mapping[Node, Edge], only: Only = None
) -> Iterator[Edge]:
    """List the edges of a principal by passing roles to services."""
    if not may_pass(principal):
        return
    estate = graph.estate
    for launch in LAUNCHES:
        roles = [
            role
            for role in _trusting(estate, launch.service, only)
            if estate.trusts[role].account == principal.identity.account
            and role != principal.id
            and not is_sure(best, Node(role))
        ]
        if roles:
            yield from _launch(graph, principal, launch, roles)


def _trusting(estate: Estate, service: str, only: Only) -> Iterable[IdentityId]:
    """List the roles asked about whose trust policy names a service."""
    if only is None:
        return estate.by_service.get(service, ())
    pair = (service_kind(service), service)
    return [
        role
        for role in sorted(only)
        if (trust := estate.trusts.get(role))
        and any(pair in grant.clause.principals for grant in trust.grants)
    ]


def may_pass(principal: Principal) -> bool:
    """Tell whether a principal may pass some role."""
    sure = surely(principal, PASS_ROLE.lower())
    if sure is not None:
        return sure.formula != FALSE
    return bool(principal.matching(PASS_ROLE.lower()).allows or principal.gaps)


def _launch(
    graph: _Graph, principal: Principal, launch: Launch, roles: Iterable[IdentityId]
) -> Iterator[Edge]:
    answers = launchable(graph, principal, launch)
    if any(answer.formula == FALSE for answer in answers):
        return
    calls = dict.fromkeys(need.action for need in launch.needs)
    via = " + ".join((PASS_ROLE, *calls))
    for role in roles:
        trusts = [e.answer for e in graph.service_entries(role, launch.service)]
        if trusts:
            passing = passed(graph.estate, principal, role, launch.service)
            yield from make_edge(Node(role), via, passing, *answers, trusts[0])


def passed(
    estate: Estate, principal: Principal, role: IdentityId, service: str
) -> Answer:
    """Evaluate `iam:PassRole` of a role to a service."""
    known = Known({"iam:passedtoservice": (service,)})
    return may(estate, principal, PASS_ROLE, role, known)


def launchable(graph: _Graph, principal: Principal, launch: Launch) -> Answers:
    """Evaluate the calls of a launch other than `iam:PassRole`."""
    answers = _launchable(graph, principal, launch)
    if not launch.awaits:
        return answers
    return (*answers, Answer(atom(AWAITED, "Exists", (launch.awaits,)), ()))


def _launchable(graph: _Graph, principal: Principal, launch: Launch) -> Answers:
    estate = graph.estate
    if not launch.changes:
        return together(estate, principal, launch.needs)
    best: Answers = (Answer(FALSE, ()),)
    there = graph.resources(launch.changes, principal.identity.account)
    for resource in there:
        answers = together(estate, principal, launch.needs, resource)
        if all(answer.formula == TRUE for answer in answers):
            return answers
        if not any(answer.formula == FALSE for answer in answers):
            best = answers
    if there:
        return best
    return _unseen(estate, principal, launch)


def _unseen(estate: Estate, principal: Principal, launch: Launch) -> Answers:
    """Evaluate a launch that changes a resource, where none was collected."""
    kind = KINDS[launch.changes]
    needs = [
        Need(need.action, need.resource.replace("{existing}", kind), need.context)
        for need in launch.needs
    ]
    answers = together(estate, principal, needs)
    there = atom(EXISTING, "Exists", (launch.changes,))
    return (*answers, Answer(there, ()))
