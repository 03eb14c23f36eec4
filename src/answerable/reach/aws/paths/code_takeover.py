"""Edges by takeover of code that already runs as an identity."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Protocol

from answerable.model.ids import IdentityId, ResourceId
from answerable.reach.aws.compiled.accounts import Estate
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.saml_providers import arn_of
from answerable.reach.aws.escalation_rules.registry import AWAITED, RUNNING, Running
from answerable.reach.aws.evaluation.request import Answer
from answerable.reach.aws.paths.edges import Edge, Node, Only, is_sure, make_edge
from answerable.reach.aws.paths.pass_role import PASS_ROLE, passed
from answerable.reach.aws.paths.witness_resources import together
from answerable.reach.formula import FALSE, atom


class _Graph(Protocol):
    estate: Estate

    def code(
        self, rule: Running, account: str
    ) -> Mapping[IdentityId, Sequence[ResourceId]]: ...


def takeovers(
    graph: _Graph, principal: Principal, best: Mapping[Node, Edge], only: Only = None
) -> Iterator[Edge]:
    """List the edges of a principal by takeover of running code."""
    for rule in RUNNING:
        code = graph.code(rule, principal.identity.account)
        for runs_as in code if only is None else sorted(only):
            for resource in code.get(runs_as, ()) if runs_as != principal.id else ():
                if not is_sure(best, Node(runs_as)):
                    yield from _take(graph.estate, principal, rule, resource, runs_as)


def _take(
    estate: Estate,
    principal: Principal,
    rule: Running,
    resource: ResourceId,
    runs_as: IdentityId,
) -> Iterator[Edge]:
    place = arn_of(resource)
    answers = list(together(estate, principal, rule.needs, place))
    if any(answer.formula == FALSE for answer in answers):
        return
    calls = list(dict.fromkeys(need.action for need in rule.needs))
    if rule.service:
        answers.append(passed(estate, principal, runs_as, rule.service))
        calls.insert(0, PASS_ROLE)
    if rule.awaits:
        answers.append(Answer(atom(AWAITED, "Exists", (rule.awaits,)), ()))
    via = f"{' + '.join(calls)} on {place}"
    yield from make_edge(Node(runs_as), via, *answers)
