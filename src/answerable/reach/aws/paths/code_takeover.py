"""List attack-path edges: take over code (Lambda, EC2 ...) that runs as an identity."""

from collections.abc import Iterator, Mapping
from typing import Protocol

from answerable.model.ids import IdentityId, ResourceId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.saml_providers import get_takeover_resource_arn
from answerable.reach.aws.escalation_rules.registry import (
    EXTERNAL_EVENT,
    TAKEOVER_RULES,
    TakeoverRule,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.paths.identity_edges import (
    IdentityEdge,
    IdentityFilter,
    IdentityNode,
    build_identity_edge,
    has_unconditional_edge,
)
from answerable.reach.aws.paths.pass_role import PASS_ROLE, evaluate_pass_role
from answerable.reach.aws.paths.takeover_resources import TakeoverResources
from answerable.reach.aws.paths.witness_resources import find_witness_resources
from answerable.reach.condition_formula import FALSE, build_atom


class _TakeoverGraph(Protocol):
    """Graph with the resources that run code, by identity."""

    accounts: CompiledAccounts

    @property
    def takeover_resources(self) -> TakeoverResources:
        """Resources that takeover rules act on."""


def list_code_takeover_edges(
    graph: _TakeoverGraph,
    principal: CompiledPrincipal,
    best_edges: Mapping[IdentityNode, IdentityEdge],
    targets: IdentityFilter = None,
) -> Iterator[IdentityEdge]:
    """List the identities a principal becomes by changing code that runs as them."""
    there, account = graph.takeover_resources, principal.identity.account
    asked = there.list_identities_of_code() if targets is None else sorted(targets)
    known = [
        one for one in asked if one != principal.id and one in graph.accounts.principals
    ]
    for rule in TAKEOVER_RULES if known else ():
        for runs_as in known:
            for resource in there.list_takeover_code(rule, account, runs_as):
                if not has_unconditional_edge(best_edges, IdentityNode(runs_as)):
                    yield from _list_edges_by_takeover_rule(
                        graph.accounts, principal, rule, resource, runs_as
                    )


def _list_edges_by_takeover_rule(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    rule: TakeoverRule,
    resource: ResourceId,
    runs_as: IdentityId,
) -> Iterator[IdentityEdge]:
    """Yield the edge by one takeover rule on one running resource, if allowed."""
    place = get_takeover_resource_arn(resource)
    answers = list(find_witness_resources(accounts, principal, rule.needs, place))
    if any(answer.formula == FALSE for answer in answers):
        return
    calls = list(dict.fromkeys(need.action for need in rule.needs))
    if rule.service:
        answers.append(evaluate_pass_role(accounts, principal, runs_as, rule.service))
        calls.insert(0, PASS_ROLE)
    if rule.precondition:
        answers.append(
            Evaluation(build_atom(EXTERNAL_EVENT, "Exists", (rule.precondition,)), ())
        )
    via = f"{' + '.join(calls)} on {place}"
    yield from build_identity_edge(IdentityNode(runs_as), via, *answers)
