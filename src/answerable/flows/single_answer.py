"""`can`: one question about one subject, with its proof and its assumptions."""

from typing import cast

from answerable.flows import lists
from answerable.flows.asked import (
    Asked,
    assuming_of,
    coverage_of,
    doubted,
    missing_of,
    subject_of,
)
from answerable.flows.call_names import call_of
from answerable.flows.expectation import Expectation
from answerable.flows.hints import command
from answerable.flows.layers import layers_of
from answerable.flows.not_known import scan_command, unknown_items, unknown_row
from answerable.flows.quotes import Quotes, statements_of
from answerable.model.document import CanItem, Document
from answerable.reach import items, questions, subjects
from answerable.reach.coverage import is_partial
from answerable.reach.keys.retagging import retagged
from answerable.reach.keys.tagging import Tagging
from answerable.reach.questions import Reply
from answerable.reach.subjects import Start, Starts
from answerable.reach.unknown import UnknownSubject, rests_on_missing
from answerable.reach.verdict.formula import FALSE, verdict

NO_EXPECTATION = Expectation()


def can(
    asked: Asked,
    subject: str,
    action: str,
    resource: str,
    *,
    expected: Expectation = NO_EXPECTATION,
) -> Document:
    """Say whether a subject can do one thing; see `flows.reach.can`.

    Raises:
        UsageError: Subject, action or resource are not known.
    """
    inventory = asked.inventory
    spelled, target = call_of(asked, action, resource)
    name = subject_of(inventory, subject)
    found = subjects.starts(asked.graph, inventory, name)
    known, unknown = _answers(asked, found, spelled, target)
    reply = doubted(asked, subjects.best(known), spelled) if known else None
    absent = set(found.not_collected)
    if reply is None or (unknown and reply.formula == FALSE):
        coverage = lists.coverage(inventory, asked.now, sorted(absent))
        row = unknown_row(inventory, name, spelled, target, unknown[0])
        item = cast("CanItem", {**row, "coverage": coverage})
        item["unknown"] = unknown_items(inventory, unknown)
        following = scan_command(unknown)
        unread = False
    else:
        for one in known if verdict(reply.formula) != "always" else [reply]:
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
    asked: Asked, found: Starts, action: str, resource: str
) -> tuple[list[Reply], list[UnknownSubject]]:
    """Answer for each identity of a subject, and name those of which nothing is known."""
    known: list[Reply] = []
    unknown = list(found.apart)
    for start in found.starts:
        reply = _can(asked, start, action, resource, direct=asked.direct)
        if start.unknown and _rests_on_missing(asked, reply, action, resource):
            unknown.insert(0, start.unknown)
        else:
            known.append(subjects.through(start, reply))
    return known, unknown


def _rests_on_missing(asked: Asked, reply: Reply, action: str, resource: str) -> bool:
    """Tell whether an answer is open for a subject whose policies are missing.

    It is not where the action takes no such resource, nor where the subject acts by
    itself and is denied outright.
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
    """Shape an answer with its proof."""
    coverage = coverage_of(asked, [reply], absent)
    item = items.can_item(reply, action, resource, coverage)
    item = Tagging(asked.graph).explained(reply, item)
    item["assuming"] = assuming_of(asked, reply, absent)
    item["layers"] = layers_of(asked, reply, action, resource, absent)
    quotes = Quotes(statements_of(asked.inventory), asked.given.policies, action)
    quotes.add(item["determining"])
    quotes.add_along(item["path"])
    return item


def _can(
    asked: Asked, start: Start, action: str, resource: str, *, direct: bool
) -> Reply:
    """Answer for one identity; a never must not rest on a tag it may set itself."""
    graph, subject = asked.graph, start.identity
    reply = questions.can(graph, subject, action, resource, direct=direct)
    if verdict(reply.formula) != "never":
        return reply
    return retagged(graph, subject, action, resource, direct=direct) or reply
