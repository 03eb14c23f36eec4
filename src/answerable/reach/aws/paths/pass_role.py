"""List attack-path edges by `iam:PassRole`: a service runs code under a passed role."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Protocol

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.escalation_rules.registry import (
    EXISTING_RESOURCE,
    EXTERNAL_EVENT,
    PASS_ROLE_RULES,
    RESOURCE_ARN_TEMPLATES,
    PassRoleRule,
    RequiredPermission,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.policy_layers import (
    evaluate_action_for_all_resources,
)
from answerable.reach.aws.evaluation.request import Evaluation
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.paths.identity_edges import (
    IdentityEdge,
    IdentityFilter,
    IdentityNode,
    build_identity_edge,
    has_unconditional_edge,
)
from answerable.reach.aws.paths.path_step_evaluation import evaluate_path_step_call
from answerable.reach.aws.paths.witness_resources import (
    Evaluations,
    find_witness_resources,
)
from answerable.reach.condition_formula import FALSE, TRUE, build_atom

PASS_ROLE = "iam:PassRole"  # noqa: S105 - an action


class _LaunchGraph(Protocol):
    """Graph with the services that may assume roles, and existing resources."""

    accounts: CompiledAccounts

    def list_service_assume_role_entries(
        self, role: IdentityId, service: str
    ) -> Iterator[TrustEntry]:
        """List the edges by which an AWS service can assume a role."""

    def list_resources_of_kind(self, kind: str, account: str) -> tuple[str, ...]:
        """List an account's resources of one kind, such as functions."""


def list_pass_role_edges(
    graph: _LaunchGraph,
    principal: CompiledPrincipal,
    best_edges: Mapping[IdentityNode, IdentityEdge],
    targets: IdentityFilter = None,
) -> Iterator[IdentityEdge]:
    """List the edges of a principal by passing roles to services."""
    if not may_pass_any_role(principal):
        return
    accounts = graph.accounts
    for launch in PASS_ROLE_RULES:
        roles = [
            role
            for role in _list_roles_trusting_service(accounts, launch.service, targets)
            if accounts.trusts[role].account == principal.identity.account
            and role != principal.id
            and not has_unconditional_edge(best_edges, IdentityNode(role))
        ]
        if roles:
            yield from _list_edges_by_pass_role_rule(graph, principal, launch, roles)


def _list_roles_trusting_service(
    accounts: CompiledAccounts, service: str, targets: IdentityFilter
) -> Iterable[IdentityId]:
    """List the requested roles whose trust policy names a service."""
    from answerable.reach.aws.compiled.trust_index import get_service_principal_kind

    if targets is None:
        return accounts.by_service.get(service, ())
    pair = (get_service_principal_kind(service), service)
    return [
        role
        for role in sorted(targets)
        if (trust := accounts.trusts.get(role))
        and any(pair in grant.clause.principals for grant in trust.grants)
    ]


def may_pass_any_role(principal: CompiledPrincipal) -> bool:
    """Return whether a principal may be allowed `iam:PassRole` on some role."""
    sure = evaluate_action_for_all_resources(principal, PASS_ROLE.lower())
    if sure is not None:
        return sure.formula != FALSE
    return bool(principal.select_statements(PASS_ROLE.lower()).allows or principal.gaps)


def _list_edges_by_pass_role_rule(
    graph: _LaunchGraph,
    principal: CompiledPrincipal,
    pass_role_rule: PassRoleRule,
    roles: Iterable[IdentityId],
) -> Iterator[IdentityEdge]:
    """Yield an edge to each role that one PassRole rule lets a service run."""
    answers = evaluate_pass_role_rule_calls(graph, principal, pass_role_rule)
    if any(answer.formula == FALSE for answer in answers):
        return
    calls = dict.fromkeys(need.action for need in pass_role_rule.needs)
    via = " + ".join((PASS_ROLE, *calls))
    for role in roles:
        trusts = [
            e.answer
            for e in graph.list_service_assume_role_entries(
                role, pass_role_rule.service
            )
        ]
        if trusts:
            passing = evaluate_pass_role(
                graph.accounts, principal, role, pass_role_rule.service
            )
            yield from build_identity_edge(
                IdentityNode(role), via, passing, *answers, trusts[0]
            )


def evaluate_pass_role(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    role: IdentityId,
    service: str,
) -> Evaluation:
    """Evaluate whether a principal may pass a role to an AWS service."""
    known = ContextKeys({"iam:passedtoservice": (service,)})
    return evaluate_path_step_call(accounts, principal, PASS_ROLE, role, known)


def evaluate_pass_role_rule_calls(
    graph: _LaunchGraph, principal: CompiledPrincipal, pass_role_rule: PassRoleRule
) -> Evaluations:
    """Evaluate the launch calls that must go with `iam:PassRole`."""
    answers = _evaluate_calls_on_best_resource(graph, principal, pass_role_rule)
    if not pass_role_rule.precondition:
        return answers
    return (
        *answers,
        Evaluation(
            build_atom(EXTERNAL_EVENT, "Exists", (pass_role_rule.precondition,)), ()
        ),
    )


def _evaluate_calls_on_best_resource(
    graph: _LaunchGraph, principal: CompiledPrincipal, pass_role_rule: PassRoleRule
) -> Evaluations:
    """Evaluate a rule's calls on new resources, or the best existing one."""
    accounts = graph.accounts
    if not pass_role_rule.changed_resource_kind:
        return find_witness_resources(accounts, principal, pass_role_rule.needs)
    best: Evaluations = (Evaluation(FALSE, ()),)
    there = graph.list_resources_of_kind(
        pass_role_rule.changed_resource_kind, principal.identity.account
    )
    for resource in there:
        answers = find_witness_resources(
            accounts, principal, pass_role_rule.needs, resource
        )
        if all(answer.formula == TRUE for answer in answers):
            return answers
        if not any(answer.formula == FALSE for answer in answers):
            best = answers
    if there:
        return best
    return _evaluate_calls_on_uncollected_resources(accounts, principal, pass_role_rule)


def _evaluate_calls_on_uncollected_resources(
    accounts: CompiledAccounts,
    principal: CompiledPrincipal,
    pass_role_rule: PassRoleRule,
) -> Evaluations:
    """Evaluate a rule that changes a resource of a kind not collected."""
    kind = RESOURCE_ARN_TEMPLATES[pass_role_rule.changed_resource_kind]
    needs = [
        RequiredPermission(
            need.action, need.resource.replace("{existing}", kind), need.context
        )
        for need in pass_role_rule.needs
    ]
    answers = find_witness_resources(accounts, principal, needs)
    there = build_atom(
        EXISTING_RESOURCE, "Exists", (pass_role_rule.changed_resource_kind,)
    )
    return (*answers, Evaluation(there, ()))
