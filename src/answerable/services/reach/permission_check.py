"""Permission check of one call by one subject, with proof and assumptions (`can`)."""

from dataclasses import replace
from itertools import islice
from typing import cast

from answerable.model.documents.core import CanItem, Document
from answerable.model.ids import IdentityId
from answerable.presentation import inventory_lists
from answerable.presentation.command_hints import command
from answerable.reach import answer_documents, queries, subjects
from answerable.reach.aws.condition_keys.self_tagging import granted_on_tags, retagged
from answerable.reach.aws.condition_keys.tag_explanations import Tagging
from answerable.reach.aws.coverage import is_partial
from answerable.reach.aws.pattern_answers import can_on_pattern, is_pattern
from answerable.reach.aws.pattern_parts import examples, merged
from answerable.reach.expected_verdict import Expectation
from answerable.reach.formula import FALSE, verdict
from answerable.reach.queries import Extent, Reply
from answerable.reach.subjects import Start, Starts
from answerable.reach.unknown_subjects import UnknownSubject, rests_on_missing
from answerable.services.reach.call_parsing import call_of
from answerable.services.reach.policy_layers import layers_of
from answerable.services.reach.query_context import (
    Asked,
    assuming_of,
    coverage_of,
    doubted,
    missing_of,
)
from answerable.services.reach.statement_quotes import Quotes, statements_of
from answerable.services.reach.subject_resolution import subject_of
from answerable.services.reach.unknown_permissions import (
    scan_command,
    unknown_items,
    unknown_row,
)

# Each example is evaluated for the nearest identities that the subject can assume.
_MOST_EXAMPLES = 32
NO_EXPECTATION = Expectation()


def can(
    asked: Asked,
    subject: str,
    action: str,
    resource: str,
    *,
    expected: Expectation = NO_EXPECTATION,
) -> Document:
    """Decide whether a subject can make one call; see `flows.reach.can`.

    Raises:
        UsageError: Subject, action or resource are not known.
    """
    inventory = asked.inventory
    spelled, target = call_of(asked, action, resource)
    name = subject_of(inventory, subject)
    found = subjects.starts(asked.graph, inventory, name)
    known, unknown = _answers(asked, found, name, spelled, target)
    reply = (
        doubted(asked, _joined(asked, known, spelled, target), spelled)
        if known
        else None
    )
    # An unknown identity of an agent does not change what another one certainly may do.
    certain = reply is not None and verdict(reply.formula) == "always"
    absent = set(found.not_collected) if unknown and not certain else set()
    if reply is None or (unknown and reply.formula == FALSE):
        coverage = inventory_lists.coverage(inventory, asked.now, sorted(absent))
        row = unknown_row(inventory, name, spelled, target, unknown[0])
        item = cast("CanItem", {**row, "coverage": coverage})
        item["unknown"] = unknown_items(inventory, unknown)
        following = scan_command(unknown)
        unread = False
    else:
        for one in [reply] if certain else known:
            absent |= missing_of(asked, one, spelled, target)
        item = _proved(asked, reply, spelled, target, absent)
        following = command("who-can", spelled, target)
        unread = is_partial([reply])
    coverage = item["coverage"]
    return Document(
        kind="can",
        items=[item],
        coverage=coverage,
        failed=expected.fails(item, unread=unread),
        undecided=expected.undecided(item, partial=coverage["partial"], unread=unread),
        next=following,
    )


def _answers(
    asked: Asked, found: Starts, subject: str, action: str, resource: str
) -> tuple[list[Reply], list[UnknownSubject]]:
    """Evaluate each identity of a subject, and list those without permission data."""
    known: list[Reply] = []
    unknown = list(found.apart)
    for start in found.starts:
        reply = _can(asked, start, action, resource, direct=asked.direct)
        if start.unknown and _rests_on_missing(asked, reply, action, resource):
            unknown.insert(0, start.unknown)
        else:
            known.append(subjects.through(start, reply))
    if unknown and not known and _is_impossible(asked, action, resource):
        anyone = IdentityId("*")
        reply = queries.can(asked.graph, anyone, action, resource, direct=True)
        return [replace(reply, subject=subject)], []
    return known, unknown


def _is_impossible(asked: Asked, action: str, resource: str) -> bool:
    """Return whether an action never takes such a resource."""
    pattern = is_pattern(asked.estate, action, resource)
    return not pattern and asked.estate.asked(action, resource) is None


def _joined(asked: Asked, replies: list[Reply], action: str, resource: str) -> Reply:
    """Return the answer of a subject that acts as several identities."""
    if is_pattern(asked.estate, action, resource):
        return merged(asked.graph, action, resource, replies)
    return subjects.best(replies)


def _rests_on_missing(asked: Asked, reply: Reply, action: str, resource: str) -> bool:
    """Return whether missing policies of the subject leave an answer open.

    They do not if the action takes no such resource, or if the subject acts by itself
    and is denied outright.
    """
    if not rests_on_missing(reply.formula):
        return False
    if asked.estate.asked(action, resource) is None:
        return False
    denied = any(each.effect in ("deny", "impossible") for each in reply.determining)
    return not (asked.direct and denied)


def _proved(
    asked: Asked, reply: Reply, action: str, resource: str, absent: set[str]
) -> CanItem:
    """Build the item of an answer with its proof."""
    coverage = coverage_of(asked, [reply], absent)
    item = answer_documents.can_item(reply, action, resource, coverage)
    item = Tagging(asked.graph).explained(reply, item)
    item["assuming"] = assuming_of(asked, reply, absent)
    item["layers"] = layers_of(asked, reply, action, resource, absent)
    quotes = Quotes(statements_of(asked.inventory), asked.given.policies)
    quotes.ask(action, resource)
    quotes.add(item["determining"])
    quotes.add_along(item["path"])
    return item


def _retagged_example(asked: Asked, reply: Reply, action: str, resource: str) -> Reply:
    """Answer `part` if tags that the subject may set would allow part of a pattern."""
    subject = IdentityId(reply.subject)
    if reply.covers is not Extent.NONE or subject not in asked.estate.principals:
        return reply
    account = asked.estate.principals[subject].identity.account
    granted = granted_on_tags(asked.graph, action)
    written = examples(asked.estate, action, resource, account, granted)
    for one in islice(written, _MOST_EXAMPLES):
        found = retagged(asked.graph, subject, action, one, direct=asked.direct)
        if found is not None:
            return replace(found, covers=Extent.PART)
    return reply


def _can(
    asked: Asked, start: Start, action: str, resource: str, *, direct: bool
) -> Reply:
    """Evaluate one identity; `never` must hold for tags it may set itself, too."""
    graph, subject = asked.graph, start.identity
    if is_pattern(asked.estate, action, resource):
        reply = can_on_pattern(graph, subject, action, resource, direct=direct)
        return _retagged_example(asked, reply, action, resource)
    reply = queries.can(graph, subject, action, resource, direct=direct)
    if verdict(reply.formula) != "never":
        return reply
    return retagged(graph, subject, action, resource, direct=direct) or reply
