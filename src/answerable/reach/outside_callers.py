"""Callers outside the snapshot: the public, other accounts, identity providers, services."""

from collections.abc import Iterable, Iterator
from dataclasses import replace

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from answerable.reach.aws.evaluation.request import AwsRequest
from answerable.reach.aws.evaluation.single_request import evaluate_external
from answerable.reach.aws.evaluation.trust import TrustEntry
from answerable.reach.aws.external_queries import list_callers
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.pattern_answers import PatternQuery
from answerable.reach.aws.patterns.arns import split_arn
from answerable.reach.aws.patterns.terms import RESOURCES, PatternTerm, is_disjoint
from answerable.reach.aws.permission_rows.row_types import PermissionRow
from answerable.reach.caller_ranking import SERVICE, grade_external_caller
from answerable.reach.formula import FALSE, TRUE, conjoin_hops
from answerable.reach.queries import (
    ReachAnswer,
    answer_caller,
    empty_answer,
    entry_to_hop,
)

GradedAnswers = Iterable[tuple[int, ReachAnswer]]


def answer_sort_key(reply: ReachAnswer) -> tuple[bool, bool, str]:
    """Sort unconditional answers first, then direct ones, then by subject."""
    return reply.formula != TRUE, bool(reply.path), reply.subject


def sort_outsiders(
    found: GradedAnswers,
) -> tuple[list[ReachAnswer], list[ReachAnswer]]:
    """Sort outside callers, the gravest first, and separate services."""
    ordered = sorted(found, key=lambda pair: (pair[0], *answer_sort_key(pair[1])))
    leading = [reply for grade, reply in ordered if grade != SERVICE]
    return leading, [reply for grade, reply in ordered if grade == SERVICE]


def list_policy_callers(
    graph: IdentityGraph, action: str, resource: str
) -> Iterator[tuple[int, ReachAnswer]]:
    """List outside callers that the resource policy allows."""
    estate = graph.estate
    callers = list_callers(estate, estate.build_request(action, resource))
    found = (
        answer_caller(c, evaluate_external(estate, c, action, resource))
        for c in callers
    )
    return _grade_answers(estate, found)


def _grade_answers(
    estate: CompiledAccounts, found: Iterable[ReachAnswer]
) -> Iterator[tuple[int, ReachAnswer]]:
    for reply in found:
        if reply.formula != FALSE:
            caller = parse_caller(reply.subject, estate.accounts)
            service = caller is not None and caller.kind.name == "SERVICE"
            yield grade_external_caller(reply.subject, service=service), reply


def list_pattern_callers(question: PatternQuery) -> Iterator[tuple[int, ReachAnswer]]:
    """List outside callers that some resource of a pattern allows."""
    estate = question.graph.estate
    call = estate.build_request(question.action, question.resource)
    if call.action in TRUST_POLICY_ACTIONS:
        return _grade_answers(estate, _list_trusted_callers(question, call))
    callers = list_callers(estate, call)
    found = (question.answer(IdentityId(c.id), direct=True) for c in callers)
    return _grade_answers(estate, found)


def _list_trusted_callers(
    question: PatternQuery, call: AwsRequest
) -> Iterator[ReachAnswer]:
    """List outside callers that some role of a pattern trusts."""
    estate, action = question.graph.estate, question.action
    parts: dict[str, list[ReachAnswer]] = {}
    for role in estate.trusts:
        on = PatternTerm(split_arn(role))
        if is_disjoint(RESOURCES, on, PatternTerm(call.parts)):
            continue
        for caller in list_callers(estate, estate.build_request(action, role)):
            reply = answer_caller(
                caller, evaluate_external(estate, caller, action, role)
            )
            row = PermissionRow(
                PatternTerm(call.action), on, "", reply.formula, reply.determining
            )
            if reply.formula != FALSE:
                parts.setdefault(caller.id, []).append(replace(reply, row=row))
    for subject, found in parts.items():
        nothing = replace(empty_answer(), subject=subject, actor=IdentityId(subject))
        yield question.union.combine([nothing], found)


def grade_entry(entry: TrustEntry) -> int:
    """Grade the outside caller that enters a role."""
    service = entry.kind == "Service"
    return grade_external_caller(entry.principal, service=service)


def prepend_entry(
    reply: ReachAnswer, entry: TrustEntry, role: IdentityId
) -> ReachAnswer:
    """Prepend the entry of an outside caller to the answer of the role it enters."""
    hop = entry_to_hop(entry, role)
    path = (hop, *reply.path) if reply.formula != FALSE else ()
    return replace(
        reply,
        subject=entry.principal,
        formula=conjoin_hops(hop.formula, reply.formula),
        path=path,
        parts=tuple(prepend_entry(part, entry, role) for part in reply.parts),
    )
