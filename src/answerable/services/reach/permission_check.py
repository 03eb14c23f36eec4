"""Check whether a subject can make one call, with proof and assumptions."""

from dataclasses import replace
from itertools import islice
from typing import cast

from answerable.model.documents.core import Document, PermissionCheckItem
from answerable.model.ids import IdentityId
from answerable.presentation import answer_coverage
from answerable.presentation.command_hints import format_command
from answerable.reach import answer_items, subject_identities
from answerable.reach.aws import subject_queries
from answerable.reach.aws.answer_coverage import depends_on_unread_policy
from answerable.reach.aws.condition_keys.self_tagging import (
    answer_with_self_set_tags,
    list_tag_granted_resources,
)
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.resource_pattern_answers import (
    answer_can_on_pattern,
    is_pattern_question,
)
from answerable.reach.aws.resource_pattern_union import (
    list_example_resources,
    merge_pattern_answers,
)
from answerable.reach.aws.subject_queries import PatternExtent, ReachAnswer
from answerable.reach.expected_verdict import VerdictExpectation
from answerable.reach.formula import FALSE, get_verdict
from answerable.reach.platform import SubjectIdentity, UnknownSubject
from answerable.reach.subject_identities import SubjectIdentities
from answerable.reach.unknown_subjects import rests_on_uncollected_allow
from answerable.services.reach.call_parsing import parse_call
from answerable.services.reach.policy_layer_states import list_policy_layers
from answerable.services.reach.query_context import (
    QueryContext,
    build_query_coverage,
    list_assumed_policies,
    list_missing_for_reply,
    mark_unknown_action,
)
from answerable.services.reach.statement_quotes import (
    StatementQuotes,
    load_statement_index,
)
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_items,
    build_unknown_row,
    suggest_scan_command,
)

# Each example is evaluated for the nearest identities that the subject can assume.
_MOST_EXAMPLES = 32
NO_EXPECTATION = VerdictExpectation()


def check_call(
    query: QueryContext,
    subject: str,
    action: str,
    resource: str,
    *,
    expected: VerdictExpectation = NO_EXPECTATION,
) -> Document:
    """Decide whether a subject can make one call: verdict, proof and missing data.

    Raises:
        UsageError: Subject, action or resource are not known.
    """
    inventory = query.inventory
    spelled, target = parse_call(query, action, resource)
    name = resolve_subject(inventory, subject)
    found = subject_identities.find_subject_identities(query.graph, inventory, name)
    known, unknown = _evaluate_identities(query, found, name, spelled, target)
    reply = (
        mark_unknown_action(
            query, _merge_answers(query, known, spelled, target), spelled
        )
        if known
        else None
    )
    # An unknown identity of an agent does not change what another one certainly may do.
    certain = reply is not None and get_verdict(reply.formula) == "always"
    absent = set(found.not_collected) if unknown and not certain else set()
    if reply is None or (unknown and reply.formula == FALSE):
        coverage = answer_coverage.build_coverage(inventory, query.now, sorted(absent))
        row = build_unknown_row(inventory, name, spelled, target, unknown[0])
        item = cast("PermissionCheckItem", {**row, "coverage": coverage})
        item["unknown"] = build_unknown_items(inventory, unknown)
        following = suggest_scan_command(unknown)
        unread = False
    else:
        for one in [reply] if certain else known:
            absent |= list_missing_for_reply(query, one, spelled, target)
        item = _build_check_item(query, reply, spelled, target, absent)
        following = format_command("who-can", spelled, target)
        unread = depends_on_unread_policy([reply])
    coverage = item["coverage"]
    return Document(
        kind="can",
        items=[item],
        coverage=coverage,
        failed=expected.is_contradicted(item, has_unread_statements=unread),
        undecided=expected.explain_undecided(
            item, is_partial=coverage["partial"], has_unread_statements=unread
        ),
        next=following,
    )


def _evaluate_identities(
    query: QueryContext,
    identities: SubjectIdentities,
    subject: str,
    action: str,
    resource: str,
) -> tuple[list[ReachAnswer], list[UnknownSubject]]:
    """Evaluate each identity of a subject, and list those without permission data."""
    known: list[ReachAnswer] = []
    unknown = list(identities.apart)
    for start in identities.starts:
        reply = _evaluate_identity(query, start, action, resource, direct=query.direct)
        if start.unknown and _is_open_for_subject(query, reply, action, resource):
            unknown.insert(0, start.unknown)
        else:
            known.append(subject_identities.prepend_subject(start, reply))
    if unknown and not known and _is_impossible(query, action, resource):
        anyone = IdentityId("*")
        reply = subject_queries.answer_can(
            query.graph, anyone, action, resource, direct=True
        )
        return [replace(reply, subject=subject)], []
    return known, unknown


def _is_impossible(query: QueryContext, action: str, resource: str) -> bool:
    """Return whether an action never takes such a resource."""
    pattern = is_pattern_question(query.compiled_accounts, action, resource)
    return not pattern and query.compiled_accounts.get_request(action, resource) is None


def _merge_answers(
    query: QueryContext, answers: list[ReachAnswer], action: str, resource: str
) -> ReachAnswer:
    """Merge the answers of the identities that one subject acts as."""
    if is_pattern_question(query.compiled_accounts, action, resource):
        return merge_pattern_answers(query.graph, action, resource, answers)
    return subject_identities.choose_best_answer(answers)


def _is_open_for_subject(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> bool:
    """Return whether missing policies of the subject leave an answer open.

    They do not if the action takes no such resource, or if the subject acts by itself
    and is denied outright.
    """
    if not rests_on_uncollected_allow(answer.formula):
        return False
    if query.compiled_accounts.get_request(action, resource) is None:
        return False
    denied = any(each.effect in ("deny", "impossible") for each in answer.determining)
    return not (query.direct and denied)


def _build_check_item(
    query: QueryContext,
    answer: ReachAnswer,
    action: str,
    resource: str,
    missing: set[str],
) -> PermissionCheckItem:
    """Build the output item of an answer, with proof, assumptions and policy layers."""
    coverage = build_query_coverage(query, [answer], missing)
    item = answer_items.build_can_item(answer, action, resource, coverage)
    item = TagExplainer(query.graph).explain(answer, item)
    item["assuming"] = list_assumed_policies(query, answer, missing)
    item["layers"] = list_policy_layers(query, answer, action, resource, missing)
    quotes = StatementQuotes(
        load_statement_index(query.inventory), query.stated.policies
    )
    quotes.set_call(action, resource)
    quotes.add_quotes(item["determining"])
    quotes.add_quotes_on_path(item["path"])
    return item


def _add_tag_example(
    query: QueryContext, answer: ReachAnswer, action: str, resource: str
) -> ReachAnswer:
    """Answer `part` if tags that the subject may set allow part of a pattern."""
    subject = IdentityId(answer.subject)
    if (
        answer.covers is not PatternExtent.NONE
        or subject not in query.compiled_accounts.principals
    ):
        return answer
    account = query.compiled_accounts.principals[subject].identity.account
    granted = list_tag_granted_resources(query.graph, action)
    written = list_example_resources(
        query.compiled_accounts, action, resource, account, granted
    )
    for one in islice(written, _MOST_EXAMPLES):
        found = answer_with_self_set_tags(
            query.graph, subject, action, one, direct=query.direct
        )
        if found is not None:
            return replace(found, covers=PatternExtent.PART)
    return answer


def _evaluate_identity(
    query: QueryContext,
    start: SubjectIdentity,
    action: str,
    resource: str,
    *,
    direct: bool,
) -> ReachAnswer:
    """Evaluate the call for one identity, also with the tags that it may set itself."""
    graph, subject = query.graph, start.identity
    if is_pattern_question(query.compiled_accounts, action, resource):
        reply = answer_can_on_pattern(graph, subject, action, resource, direct=direct)
        return _add_tag_example(query, reply, action, resource)
    reply = subject_queries.answer_can(graph, subject, action, resource, direct=direct)
    if get_verdict(reply.formula) != "never":
        return reply
    return (
        answer_with_self_set_tags(graph, subject, action, resource, direct=direct)
        or reply
    )
