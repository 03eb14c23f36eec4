"""Permission check of one call by one subject, with proof and assumptions (`check_call`)."""

from dataclasses import replace
from itertools import islice
from typing import cast

from answerable.model.documents.core import Document, PermissionCheckItem
from answerable.model.ids import IdentityId
from answerable.presentation import inventory_lists
from answerable.presentation.command_hints import format_command
from answerable.reach import answer_documents, queries, subjects
from answerable.reach.aws.condition_keys.self_tagging import (
    answer_with_self_set_tags,
    list_tag_granted_resources,
)
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.coverage import rests_on_unread_policy
from answerable.reach.aws.pattern_answers import (
    answer_can_on_pattern,
    is_pattern_question,
)
from answerable.reach.aws.pattern_parts import list_example_resources, merge_answers
from answerable.reach.expected_verdict import VerdictExpectation
from answerable.reach.formula import FALSE, get_verdict
from answerable.reach.queries import PatternExtent, ReachAnswer
from answerable.reach.subjects import SubjectIdentities, SubjectIdentity
from answerable.reach.unknown_subjects import UnknownSubject, rests_on_uncollected_allow
from answerable.services.reach.call_parsing import parse_call
from answerable.services.reach.policy_layers import list_policy_layers
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
from answerable.services.reach.unknown_permissions import (
    build_unknown_items,
    build_unknown_row,
    suggest_scan_command,
)

# Each example is evaluated for the nearest identities that the subject can assume.
_MOST_EXAMPLES = 32
NO_EXPECTATION = VerdictExpectation()


def check_call(
    asked: QueryContext,
    subject: str,
    action: str,
    resource: str,
    *,
    expected: VerdictExpectation = NO_EXPECTATION,
) -> Document:
    """Decide whether a subject can make one call; see `permissions.check_permission`.

    Raises:
        UsageError: Subject, action or resource are not known.
    """
    inventory = asked.inventory
    spelled, target = parse_call(asked, action, resource)
    name = resolve_subject(inventory, subject)
    found = subjects.find_subject_identities(asked.graph, inventory, name)
    known, unknown = _evaluate_identities(asked, found, name, spelled, target)
    reply = (
        mark_unknown_action(
            asked, _merge_replies(asked, known, spelled, target), spelled
        )
        if known
        else None
    )
    # An unknown identity of an agent does not change what another one certainly may do.
    certain = reply is not None and get_verdict(reply.formula) == "always"
    absent = set(found.not_collected) if unknown and not certain else set()
    if reply is None or (unknown and reply.formula == FALSE):
        coverage = inventory_lists.build_coverage(inventory, asked.now, sorted(absent))
        row = build_unknown_row(inventory, name, spelled, target, unknown[0])
        item = cast("PermissionCheckItem", {**row, "coverage": coverage})
        item["unknown"] = build_unknown_items(inventory, unknown)
        following = suggest_scan_command(unknown)
        unread = False
    else:
        for one in [reply] if certain else known:
            absent |= list_missing_for_reply(asked, one, spelled, target)
        item = _build_can_item(asked, reply, spelled, target, absent)
        following = format_command("who-can", spelled, target)
        unread = rests_on_unread_policy([reply])
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
    asked: QueryContext,
    found: SubjectIdentities,
    subject: str,
    action: str,
    resource: str,
) -> tuple[list[ReachAnswer], list[UnknownSubject]]:
    """Evaluate each identity of a subject, and list those without permission data."""
    known: list[ReachAnswer] = []
    unknown = list(found.apart)
    for start in found.starts:
        reply = _evaluate_identity(asked, start, action, resource, direct=asked.direct)
        if start.unknown and _is_open_for_subject(asked, reply, action, resource):
            unknown.insert(0, start.unknown)
        else:
            known.append(subjects.prepend_subject(start, reply))
    if unknown and not known and _is_impossible(asked, action, resource):
        anyone = IdentityId("*")
        reply = queries.answer_can(asked.graph, anyone, action, resource, direct=True)
        return [replace(reply, subject=subject)], []
    return known, unknown


def _is_impossible(asked: QueryContext, action: str, resource: str) -> bool:
    """Return whether an action never takes such a resource."""
    pattern = is_pattern_question(asked.estate, action, resource)
    return not pattern and asked.estate.get_request(action, resource) is None


def _merge_replies(
    asked: QueryContext, replies: list[ReachAnswer], action: str, resource: str
) -> ReachAnswer:
    """Return the answer of a subject that acts as several identities."""
    if is_pattern_question(asked.estate, action, resource):
        return merge_answers(asked.graph, action, resource, replies)
    return subjects.choose_best_answer(replies)


def _is_open_for_subject(
    asked: QueryContext, reply: ReachAnswer, action: str, resource: str
) -> bool:
    """Return whether missing policies of the subject leave an answer open.

    They do not if the action takes no such resource, or if the subject acts by itself
    and is denied outright.
    """
    if not rests_on_uncollected_allow(reply.formula):
        return False
    if asked.estate.get_request(action, resource) is None:
        return False
    denied = any(each.effect in ("deny", "impossible") for each in reply.determining)
    return not (asked.direct and denied)


def _build_can_item(
    asked: QueryContext,
    reply: ReachAnswer,
    action: str,
    resource: str,
    absent: set[str],
) -> PermissionCheckItem:
    """Build the item of an answer with its proof."""
    coverage = build_query_coverage(asked, [reply], absent)
    item = answer_documents.build_can_item(reply, action, resource, coverage)
    item = TagExplainer(asked.graph).explain(reply, item)
    item["assuming"] = list_assumed_policies(asked, reply, absent)
    item["layers"] = list_policy_layers(asked, reply, action, resource, absent)
    quotes = StatementQuotes(
        load_statement_index(asked.inventory), asked.given.policies
    )
    quotes.set_call(action, resource)
    quotes.add_quotes(item["determining"])
    quotes.add_quotes_on_path(item["path"])
    return item


def _add_tag_example(
    asked: QueryContext, reply: ReachAnswer, action: str, resource: str
) -> ReachAnswer:
    """Answer `part` if tags that the subject may set would allow part of a pattern."""
    subject = IdentityId(reply.subject)
    if reply.covers is not PatternExtent.NONE or subject not in asked.estate.principals:
        return reply
    account = asked.estate.principals[subject].identity.account
    granted = list_tag_granted_resources(asked.graph, action)
    written = list_example_resources(asked.estate, action, resource, account, granted)
    for one in islice(written, _MOST_EXAMPLES):
        found = answer_with_self_set_tags(
            asked.graph, subject, action, one, direct=asked.direct
        )
        if found is not None:
            return replace(found, covers=PatternExtent.PART)
    return reply


def _evaluate_identity(
    asked: QueryContext,
    start: SubjectIdentity,
    action: str,
    resource: str,
    *,
    direct: bool,
) -> ReachAnswer:
    """Evaluate one identity; `never` must hold for tags it may set itself, too."""
    graph, subject = asked.graph, start.identity
    if is_pattern_question(asked.estate, action, resource):
        reply = answer_can_on_pattern(graph, subject, action, resource, direct=direct)
        return _add_tag_example(asked, reply, action, resource)
    reply = queries.answer_can(graph, subject, action, resource, direct=direct)
    if get_verdict(reply.formula) != "never":
        return reply
    return (
        answer_with_self_set_tags(graph, subject, action, resource, direct=direct)
        or reply
    )
