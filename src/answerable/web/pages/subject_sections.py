"""Sections shared by agent, identity, credential and person pages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from answerable.connectors.iam_catalogue.fetch import load
from answerable.inventory.resolve import likely
from answerable.lineage.search_query import Query
from answerable.model.documents.core import Coverage, ReachItem
from answerable.model.documents.owners import EvidenceItem, WhoOwnsItem
from answerable.model.documents.permission_usage import ExercisedItem
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import AnswerableError
from answerable.presentation.owner_evidence import STATES, remark
from answerable.presentation.unknown_text import would_tell
from answerable.services.lineage import row_search
from answerable.services.lineage.recorded_calls import Trail, calls_of, trail_of
from answerable.usecases.inventory.ownership import owner_item
from answerable.usecases.reach import permissions
from answerable.usecases.reach.permission_usage import exercised
from answerable.web.pages import inventory_listings
from answerable.web.routing import Page
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

DEEDS = 15
ROWS = 12
_LOOKED = 120  # rows of reach, of which the gravest are shown
_WAYS = 8  # identities whose rows are looked at
_NEAR = 5


@dataclass(frozen=True, slots=True)
class Owned:
    """Ownership section.

    Attributes:
        meaning: Its state as text.
        evidence: For each candidate: evidence with whether and why it counts.
    """

    item: WhoOwnsItem
    meaning: str
    evidence: Sequence[tuple[str, float, Sequence[tuple[EvidenceItem, str]]]]


@dataclass(frozen=True, slots=True)
class Deeds:
    """Activity section.

    Attributes:
        told: Whether the visitor may see it.
        more: Link to all of them.
        left_out: Number of hidden events among the newest.
    """

    told: bool
    rows: Sequence[TraceItem]
    more: str
    left_out: int = 0


@dataclass(frozen=True, slots=True)
class Reached:
    """Reach section.

    Attributes:
        total: Number of rows scanned.
        verdicts: Count of each verdict.
        unknown: Why nothing is known, empty otherwise.
        more: Whether there are more rows.
    """

    rows: Sequence[ReachItem]
    total: int
    verdicts: Mapping[str, int]
    coverage: Coverage | None
    unknown: str = ""
    every: Sequence[ReachItem] = ()
    more: bool = False


def owned(desk: Desk, subject: str) -> Owned:
    """Build the ownership section of a subject."""
    now = desk.now
    item = owner_item(inventory_listings.judged(desk), subject)
    return Owned(
        item,
        STATES.get(item["state"], ""),
        [
            (
                candidate["person"],
                candidate["score"],
                [(each, remark(each, now)) for each in candidate["evidence"]],
            )
            for candidate in item["candidates"]
        ],
    )


def deeds(desk: Desk, visit: Visit, field: str, key: str, *subjects: str) -> Deeds:
    """Build the activity section of a subject.

    Args:
        field: Query field for the subject.
        subjects: Subjects whose activity this is.
    """
    query = Query(((field, key),))
    more = url("/trace", q=query.text)
    if not visit.sees_deeds_of(*subjects):
        return Deeds(told=False, rows=(), more="")
    standing = desk.standing()
    only = None if May.INVESTIGATE in visit.may else visit.owns
    scene = row_search.Scene(standing.inventory, standing.chains, only)
    try:
        with desk.store() as store:
            asked = row_search.wanted(scene, query, now=desk.now)
            document, _ = row_search.investigate(
                store, scene, asked, now=desk.now, limit=DEEDS
            )
    except AnswerableError:  # no trail tells of it: nothing was done
        return Deeds(told=True, rows=(), more=more)
    return Deeds(True, cast("Sequence[TraceItem]", document.items), more)


def reached(desk: Desk, subject: str) -> Reached:
    """Build the reach section of a subject."""
    try:
        listed = permissions.reach_part(
            desk.standing().inventory, subject, now=desk.now, rows=_LOOKED, ways=_WAYS
        )
    except AnswerableError as error:
        return Reached((), 0, {}, None, error.message)
    document = listed.document
    every = cast("Sequence[ReachItem]", document.items)
    verdicts: dict[str, int] = {}
    for each in every:
        verdicts[each["verdict"]] = verdicts.get(each["verdict"], 0) + 1
    ranked = sorted(every, key=_gravity)
    if set(verdicts) == {"not-known"}:
        why = dict.fromkeys(would_tell(u) for row in every for u in row["unknown"])
        return Reached((), 0, {}, document.coverage, "; ".join(why), every=every)
    return Reached(
        ranked[:ROWS],
        len(every),
        verdicts,
        document.coverage,
        every=every,
        more=bool(listed.after),
    )


def _gravity(row: ReachItem) -> tuple[bool, bool, bool, int]:
    """Return the sort key: admin, any resource, unconditional, fewer steps."""
    return (
        not row["admin"],
        row["resource"] != "*",
        row["verdict"] != "always",
        len(row["path"]),
    )


def exercise(
    desk: Desk,
    subject: str,
    found: Reached,
    accounts: Collection[str],
    *,
    told: bool,
) -> list[ExercisedItem]:
    """Compare the permissions of a subject with its recorded calls.

    Args:
        accounts: Accounts whose logs record its calls.
        told: Whether its calls may be shown; else only permissions are.
    """
    standing = desk.standing()
    if not told:
        silent = Trail({}, load(()), {})
        return exercised(subject, found.every, (), silent, frozenset(accounts))
    with desk.store() as store:
        calls = calls_of(store, standing.inventory, subject, standing.chains)
    logs = desk.kept("trail", lambda _: _logs(desk))
    named = [row["action"] for row in found.every] + [call.action for call in calls]
    services = {each.partition(":")[0] for each in named}
    plain = frozenset(each for each in services if "*" not in each and "?" not in each)
    trail = Trail(logs.logs, load(plain), logs.days)
    return exercised(subject, found.every, calls, trail, frozenset(accounts))


def _logs(desk: Desk) -> Trail:
    with desk.store() as store:
        return trail_of(store, load(()))


def missing(desk: Desk, kind: str, key: str) -> Page:
    """Build a page for an unknown id, with similar names."""
    listing = getattr(inventory_listings, kind)(desk)
    asked = key.casefold()
    tail = asked.rpartition("/")[2].rpartition(":")[2]
    names = list(listing.by_key)
    near = [name for name in names if tail and tail in name.casefold()][:_NEAR]
    if not near:
        near = get_close_matches(key, likely(key, names), _NEAR, cutoff=0.6)
    values = {
        "kind": kind,
        "key": key,
        "near": near,
        "coverage": inventory_listings.coverage(desk).coverage,
    }
    return Page("missing.html", "Not found", values, status=404)
