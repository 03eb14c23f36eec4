"""Permission lists on a compiled snapshot: `reach` and `who-can`, in parts."""

import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from itertools import islice

from answerable.model.connector import no_progress
from answerable.model.documents.core import Coverage, Document, ReachItem, ShownItem
from answerable.model.errors import UsageError
from answerable.presentation.command_hints import command
from answerable.reach import answer_documents, queries, subjects
from answerable.reach.acting_agents import agents_through, gravity_of
from answerable.reach.answer_pages import (
    Place,
    able_part,
    count_identities,
    first_callers,
    part,
)
from answerable.reach.aws.condition_keys.tag_explanations import Tagging
from answerable.reach.aws.pattern_answers import is_pattern
from answerable.reach.aws.patterns.globs import is_literal
from answerable.reach.aws.permission_rows.row_types import speller
from answerable.reach.queries import Reply
from answerable.reach.unknown_subjects import rests_on_missing
from answerable.reach.who_can import asking_of
from answerable.reach.who_can import who_can as who_can_in
from answerable.services.reach.call_parsing import call_of, wanted_of
from answerable.services.reach.query_context import Asked, coverage_of, doubted, missing
from answerable.services.reach.subject_resolution import subject_of
from answerable.services.reach.unknown_permissions import (
    looked,
    scan_command,
    unknown_holders,
    unknown_row,
    unknown_rows,
)

# The identities that may tag a resource are computed once per row; `can` lists them.
_MOST_EXPLAINED = 500
# Each tag examines all identities, which is too slow for a page of a list.
_MOST_ASKED = 2_000
_MOST_AT_ONCE = 4_000
_MOST_ON_PATTERN = 250
Progress = Callable[[int, int, str], None]


@dataclass(frozen=True, slots=True)
class Listed:
    """Part of a permission list.

    Attributes:
        after: Cursor of the next part, empty at the end.
        gone: Number of examined identities.
        shown: Number of identities with rows, if the list is cut.
    """

    document: Document
    after: str
    gone: int = 0
    shown: ShownItem | None = None

    @property
    def counted(self) -> Document:
        """Document with the number of examined identities in its coverage."""
        if self.shown is None:
            return self.document
        covered: Coverage = {**self.document.coverage, "shown": self.shown}
        return replace(self.document, coverage=covered)


def reach(
    asked: Asked,
    subject: str,
    *,
    resource: str = "*",
    action: str = "*",
    limit: int = 0,
    progress: Progress = no_progress,
) -> Document:
    """List the permissions of a subject; see `flows.reach.reach`.

    Raises:
        UsageError: The subject is not known.
    """
    if limit:
        listed = reach_part(
            asked,
            subject,
            resource=resource,
            action=action,
            rows=limit,
            ways=sys.maxsize,
        )
        return listed.counted
    inventory, direct = asked.inventory, asked.direct
    name = subject_of(inventory, subject)
    found = subjects.starts(asked.graph, inventory, name)
    wanted = wanted_of(asked, action, resource)
    replies: list[Reply] = []
    for start in found.starts:
        progress(len(replies), 0, "rows")
        rows = queries.reach(asked.graph, start.identity, wanted, direct=direct)
        replies += subjects.known_rows(start, rows)
    unknown = unknown_rows(asked, found, name, action, resource)
    return _listing(asked, found, replies, action, resource, unknown=unknown)


def _shown(
    asked: Asked, found: subjects.Starts, rows: int, first: int, place: Place
) -> ShownItem:
    """Build the counts of examined and reachable identities.

    Args:
        found: Identities of the subject.
        rows: Number of shown rows.
        first: Index of the identity at which the list continues.
    """
    counts = [
        count_identities(asked.graph, each.identity, direct=asked.direct)
        for each in found.starts
    ]
    done = sum(counts[:first])
    if first < len(counts):
        done += min(place.way + (place.row > 0), counts[first])
    return ShownItem(rows=rows, what="identities", done=done, of=sum(counts))


def reach_part(
    asked: Asked,
    subject: str,
    *,
    resource: str = "*",
    action: str = "*",
    after: str = "",
    rows: int = 200,
    ways: int = 25,
) -> Listed:
    """List part of the permissions of a subject, with bounded work.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        after: Cursor, empty for the beginning.
        ways: Most identities to examine.

    Raises:
        UsageError: As for `reach`; or the cursor is malformed.
    """
    name = subject_of(asked.inventory, subject)
    found = subjects.starts(asked.graph, asked.inventory, name)
    wanted = wanted_of(asked, action, resource)
    first, place = read_cursor(after)
    # The first part lists unknowns, as the length of the rest is not known.
    unknown = [] if after else unknown_rows(asked, found, name, action, resource)
    rows = max(1, rows - len(unknown))
    replies: list[Reply] = []
    gone = 0
    for number, start in list(enumerate(found.starts))[first:]:
        if len(replies) == rows or gone >= ways:
            break
        got = part(
            asked.graph,
            start.identity,
            wanted,
            direct=asked.direct,
            after=place,
            most_rows=rows - len(replies),
            most_ways=ways - gone,
        )
        replies += subjects.known_rows(start, got.replies)
        gone += got.ways
        first, place = (number, got.after) if got.after else (number + 1, Place())
    tagging = len(asked.estate.principals) <= _MOST_ASKED
    ended = first >= len(found.starts)
    document = _listing(
        asked, found, replies, action, resource, tagging=tagging, unknown=unknown
    )
    shown = None
    if after or not ended:
        shown = _shown(asked, found, len(document.items), first, place)
    return Listed(document, "" if ended else spelled_cursor(first, place), gone, shown)


def who_can(asked: Asked, action: str, resource: str, *, limit: int = 0) -> Document:
    """List all identities that can make one call; see `flows.reach.who_can`.

    Raises:
        UsageError: Action or resource are not known.
    """
    spelled, target = call_of(asked, action, resource)
    if limit:
        return _first_who_can(asked, spelled, target, limit)
    found = who_can_in(
        asked.graph,
        spelled,
        target,
        direct=asked.direct,
        gravity=gravity_of(asked.inventory),
    )
    return _pairs(asked, list(found), spelled, target, ended=True)


def _first_who_can(asked: Asked, action: str, resource: str, limit: int) -> Document:
    """List the first who can, and everyone of whom it is not known."""
    first = first_callers(
        asked.graph,
        action,
        resource,
        direct=asked.direct,
        gravity=gravity_of(asked.inventory),
        most=limit,
    )
    ended = first.done == first.of
    tagging = ended or len(asked.estate.principals) <= _MOST_ASKED
    document = _pairs(
        asked, first.replies, action, resource, tagging=tagging, ended=True
    )
    rows = len(first.replies)
    shown = ShownItem(rows=rows, what="callers", done=first.done, of=first.of)
    return Listed(document, "", shown=None if ended else shown).counted


def who_can_part(
    asked: Asked, action: str, resource: str, *, after: str = "", rows: int = 100
) -> Listed:
    """List part of the identities that can make one call.

    Args:
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        after: Cursor, empty for the beginning.

    Raises:
        UsageError: As for `who_can`; or the cursor is malformed.
    """
    spelled, target = call_of(asked, action, resource)
    _, place = read_cursor(after)
    some, on, gone = _able(asked, spelled, target, place, rows)
    tagging = len(asked.estate.principals) <= _MOST_ASKED
    document = _pairs(asked, some, spelled, target, tagging=tagging, ended=on is None)
    return Listed(document, spelled_cursor(0, on) if on else "", gone)


def _able(
    asked: Asked, action: str, resource: str, place: Place, rows: int
) -> tuple[Sequence[Reply], Place | None, int]:
    """Find part of the holders, the next cursor, and the number examined."""
    graph, gravity = asked.graph, gravity_of(asked.inventory)
    direct, pattern = asked.direct, is_pattern(asked.estate, action, resource)
    if direct or pattern:
        got = able_part(
            asking_of(graph, action, resource, gravity, direct=direct),
            len(asked.estate.principals),
            after=place,
            most_rows=rows,
            most_ways=_MOST_ON_PATTERN if pattern else _MOST_AT_ONCE,
        )
        return got.replies, got.after, got.ways
    found = who_can_in(graph, action, resource, direct=False, gravity=gravity)
    some = list(islice(found, place.row, place.row + rows + 1))
    on = Place(0, place.row + rows) if len(some) > rows else None
    return some[:rows], on, len(asked.estate.principals)


def read_cursor(text: str) -> tuple[int, Place]:
    """Parse a cursor: index of the subject's identity, and position from there.

    Raises:
        UsageError: It is malformed.
    """
    parts = text.split(".") if text else ["0", "0", "0"]
    if len(parts) != 3 or not all(_is_number(part) for part in parts):
        raise UsageError(
            f"not a place to go on from (got {text[:40]!r}, expected one that was given)",
            "leave `after` out to begin",
        )
    start, way, row = map(int, parts)
    return start, Place(way, row)


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 9


def spelled_cursor(start: int, place: Place) -> str:
    """Format a cursor."""
    return f"{start}.{place.way}.{place.row}"


def _listing(
    asked: Asked,
    found: subjects.Starts,
    replies: Sequence[Reply],
    action: str,
    resource: str,
    *,
    tagging: bool = True,
    unknown: Sequence[ReachItem] = (),
) -> Document:
    spelled = speller(asked.estate.catalogue, asked.estate.written, action)
    replies = [_doubted_row(asked, reply, spelled) for reply in replies]
    listed = [answer_documents.reach_item(reply, spelled) for reply in replies]
    listed = _explained(asked, replies, listed, tagging)
    pairs = list(zip(replies, listed, strict=True))
    who = [start.identity for start in found.starts]
    absent = missing(asked, pairs, action, resource, who) | set(found.not_collected)
    return Document(
        kind="reach",
        items=[*listed, *unknown],
        coverage=coverage_of(asked, replies, absent),
        next=_next(listed) or scan_command(found.unknown),
    )


def _pairs(
    asked: Asked,
    found: Sequence[Reply],
    action: str,
    resource: str,
    *,
    tagging: bool = True,
    ended: bool,
) -> Document:
    """Build the items of the holders, with unknown identities at the end."""
    unknown = unknown_holders(asked) if asked.estate.asked(action, resource) else []
    open_ids = {each.id for each in unknown}
    found = [
        reply
        for reply in found
        if reply.subject not in open_ids or not rests_on_missing(reply.formula)
    ]
    replies = [doubted(asked, reply, action) for reply in found]
    listed = [answer_documents.pair_item(reply, action, resource) for reply in replies]
    for item in listed:
        item["agents"] = agents_through(asked.inventory, item["subject"])
    listed = _explained(asked, replies, listed, tagging)
    absent = missing(asked, list(zip(replies, listed, strict=True)), action, resource)
    coverage = coverage_of(asked, replies, absent)
    coverage["looked"] = looked(asked)
    named = {item["subject"] for item in listed}
    more = [each for each in unknown if ended and each.id not in named]
    rows = [
        unknown_row(asked.inventory, each.id, action, resource, each) for each in more
    ]
    following = command("can", listed[0]["subject"], action, resource) if listed else ""
    return Document(
        kind="who-can",
        items=[*listed, *rows],
        coverage=coverage,
        next=following or scan_command(unknown),
    )


def _explained(
    asked: Asked,
    replies: Sequence[Reply],
    listed: list[ReachItem],
    tagging: bool,
) -> list[ReachItem]:
    """Add the identities that may set required tags, unless the list is very long."""
    if len(listed) > _MOST_EXPLAINED or not tagging:
        return listed
    told = Tagging(asked.graph)
    pairs = zip(replies, listed, strict=True)
    return [told.explained(reply, item) for reply, item in pairs]


def _doubted_row(asked: Asked, reply: Reply, spelled: Callable[[str], str]) -> Reply:
    """Mark the verdict of a row as open if the catalogue does not know its action."""
    if reply.row is None or not is_literal(reply.row.actions.pattern):
        return reply
    return doubted(asked, reply, spelled(reply.row.actions.pattern))


def _next(listed: Sequence[ReachItem]) -> str:
    """Suggest the reverse query for a row with a single action."""
    for item in listed:
        one = not set("*? ") & set(item["action"])
        if one and " " not in item["resource"]:
            return command("who-can", item["action"], item["resource"])
    return ""
