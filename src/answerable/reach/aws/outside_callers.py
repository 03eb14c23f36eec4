"""List the callers outside the snapshot that can make a call, ranked by severity."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import TYPE_CHECKING

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.single_request import (
    evaluate_external_caller_action,
)
from answerable.reach.aws.evaluation.trust_policies import TrustEntry
from answerable.reach.aws.external_caller_queries import (
    build_role_entry_hop,
    list_external_callers,
)
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.patterns.arn_matching import split_arn
from answerable.reach.aws.patterns.pattern_set_algebra import (
    RESOURCES,
    PatternTerm,
    are_patterns_disjoint,
)
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.aws.subject_queries import (
    ReachAnswer,
    build_caller_answer,
    build_never_answer,
)
from answerable.reach.caller_ranking import SERVICE, grade_external_caller_severity
from answerable.reach.condition_formula import FALSE, TRUE, conjoin_hops

if TYPE_CHECKING:
    from answerable.reach.aws.resource_pattern_answers import PatternQuery

GradedAnswers = Iterable[tuple[int, ReachAnswer]]


def get_caller_answer_sort_key(answer: ReachAnswer) -> tuple[bool, bool, str]:
    """Return a sort key: unconditional answers first, then direct, then subject."""
    return answer.formula != TRUE, bool(answer.path), answer.subject


def sort_outside_callers(
    answers: GradedAnswers,
) -> tuple[list[ReachAnswer], list[ReachAnswer]]:
    """Sort outside callers, the most severe first; return services apart."""
    ordered = sorted(
        answers, key=lambda pair: (pair[0], *get_caller_answer_sort_key(pair[1]))
    )
    leading = [reply for grade, reply in ordered if grade != SERVICE]
    return leading, [reply for grade, reply in ordered if grade == SERVICE]


def list_callers_allowed_by_resource_policy(
    graph: IdentityGraph, action: str, resource: str
) -> Iterator[tuple[int, ReachAnswer]]:
    """List outside callers that the resource policy allows."""
    accounts = graph.accounts
    callers = list_external_callers(accounts, accounts.build_request(action, resource))
    found = (
        build_caller_answer(
            c, evaluate_external_caller_action(accounts, c, action, resource)
        )
        for c in callers
    )
    return _grade_caller_answers(accounts, found)


def _grade_caller_answers(
    accounts: CompiledAccounts, answers: Iterable[ReachAnswer]
) -> Iterator[tuple[int, ReachAnswer]]:
    """Pair the answers that are not `never` with their severity grade."""
    for reply in answers:
        if reply.formula != FALSE:
            caller = parse_caller(reply.subject, accounts.accounts)
            service = caller is not None and caller.kind.name == "SERVICE"
            yield grade_external_caller_severity(reply.subject, service=service), reply


def list_outside_callers_of_pattern(
    query: "PatternQuery",
) -> Iterator[tuple[int, ReachAnswer]]:
    """List outside callers that some resource of a pattern allows."""
    accounts = query.graph.accounts
    call = accounts.build_request(query.action, query.resource)
    if call.action in TRUST_POLICY_ACTIONS:
        return _grade_caller_answers(
            accounts, _list_callers_trusted_by_roles(query, call)
        )
    callers = list_external_callers(accounts, call)
    found = (query.answer(IdentityId(c.id), direct=True) for c in callers)
    return _grade_caller_answers(accounts, found)


def _list_callers_trusted_by_roles(
    query: "PatternQuery", request: AwsRequest
) -> Iterator[ReachAnswer]:
    """List outside callers that some role of a pattern trusts."""
    accounts, action = query.graph.accounts, query.action
    parts: dict[str, list[ReachAnswer]] = {}
    for role in accounts.trusts:
        on = PatternTerm(split_arn(role))
        if are_patterns_disjoint(RESOURCES, on, PatternTerm(request.parts)):
            continue
        for caller in list_external_callers(
            accounts, accounts.build_request(action, role)
        ):
            reply = build_caller_answer(
                caller, evaluate_external_caller_action(accounts, caller, action, role)
            )
            row = PermissionRow(
                PatternTerm(request.action), on, "", reply.formula, reply.determining
            )
            if reply.formula != FALSE:
                parts.setdefault(caller.id, []).append(replace(reply, row=row))
    for subject, found in parts.items():
        nothing = replace(
            build_never_answer(), subject=subject, actor=IdentityId(subject)
        )
        yield query.union.combine_pattern_answers([nothing], found)


def grade_caller_entering_role(entry: TrustEntry) -> int:
    """Grade an outside caller that can assume a role: AWS service, public, foreign."""
    service = entry.kind == "Service"
    return grade_external_caller_severity(entry.principal, service=service)


def prepend_role_entry(
    answer: ReachAnswer, entry: TrustEntry, role: IdentityId
) -> ReachAnswer:
    """Prepend an outside caller's entry to the answer of the role it enters."""
    hop = build_role_entry_hop(entry, role)
    path = (hop, *answer.path) if answer.formula != FALSE else ()
    return replace(
        answer,
        subject=entry.principal,
        formula=conjoin_hops(hop.formula, answer.formula),
        path=path,
        parts=tuple(prepend_role_entry(part, entry, role) for part in answer.parts),
    )
