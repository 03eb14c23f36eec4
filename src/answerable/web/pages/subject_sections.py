"""Sections shared by agent, identity, credential and person pages."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from typing import cast

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.inventory.resolve import select_similar_names
from answerable.lineage.search_query import SearchQuery
from answerable.model.documents.core import CoverageRecord, ReachItem
from answerable.model.documents.owners import OwnerEvidenceItem, OwnershipItem
from answerable.model.documents.permission_usage import PatternUsageItem
from answerable.model.documents.trace import TraceItem
from answerable.model.errors import AnswerableError
from answerable.presentation.owner_evidence import OWNER_STATES, describe_evidence
from answerable.presentation.unknown_text import describe_unknown
from answerable.services.lineage import row_search
from answerable.services.lineage.recorded_calls import (
    TrailCoverage,
    count_recorded_calls,
    read_trail_coverage,
)
from answerable.usecases.inventory.ownership import build_ownership_item
from answerable.usecases.lineage import search
from answerable.usecases.reach import permissions
from answerable.usecases.reach.permission_usage import list_permission_usage
from answerable.web.pages import inventory_listings
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

MAX_EVENTS = 15
MAX_ROWS = 12
_MAX_SCANNED = 120  # rows of reach, of which the gravest are shown
_MAX_IDENTITIES = 8  # identities whose rows are looked at
_MAX_SUGGESTIONS = 5


@dataclass(frozen=True, slots=True)
class OwnerSection:
    """Ownership section.

    Attributes:
        meaning: Its state as text.
        evidence: For each candidate: evidence with whether and why it counts.
    """

    item: OwnershipItem
    meaning: str
    evidence: Sequence[tuple[str, float, Sequence[tuple[OwnerEvidenceItem, str]]]]


@dataclass(frozen=True, slots=True)
class ActivitySection:
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
class ReachSection:
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
    coverage: CoverageRecord | None
    unknown: str = ""
    every: Sequence[ReachItem] = ()
    more: bool = False


def owner_section(desk: StoreCache, subject: str) -> OwnerSection:
    """Build the ownership section of a subject."""
    now = desk.now
    item = build_ownership_item(inventory_listings.current_inventory(desk), subject)
    return OwnerSection(
        item,
        OWNER_STATES.get(item["state"], ""),
        [
            (
                candidate["person"],
                candidate["score"],
                [
                    (each, describe_evidence(each, now))
                    for each in candidate["evidence"]
                ],
            )
            for candidate in item["candidates"]
        ],
    )


def activity_section(
    desk: StoreCache, visit: Visitor, field: str, key: str, *subjects: str
) -> ActivitySection:
    """Build the activity section of a subject.

    Args:
        field: Query field for the subject.
        subjects: Subjects whose activity this is.
    """
    query = SearchQuery(((field, key),))
    more = build_url("/trace", q=query.to_text)
    if not visit.can_see_activity_of(*subjects):
        return ActivitySection(told=False, rows=(), more="")
    standing = desk.current_view()
    only = None if WebPermission.INVESTIGATE in visit.may else visit.owns
    scene = row_search.SearchScope(standing.inventory, standing.chains, only)
    try:
        with desk.open_store() as store:
            asked = row_search.build_event_filter(scene, query, now=desk.now)
            document, _ = search.search_rows(
                store, scene, asked, now=desk.now, limit=MAX_EVENTS
            )
    except AnswerableError:  # no trail tells of it: nothing was done
        return ActivitySection(told=True, rows=(), more=more)
    return ActivitySection(True, cast("Sequence[TraceItem]", document.items), more)


def reach_section(desk: StoreCache, subject: str) -> ReachSection:
    """Build the reach section of a subject."""
    try:
        listed = permissions.list_reach_page(
            desk.current_view().inventory,
            subject,
            now=desk.now,
            max_rows=_MAX_SCANNED,
            max_identities=_MAX_IDENTITIES,
        )
    except AnswerableError as error:
        return ReachSection((), 0, {}, None, error.message)
    document = listed.document
    every = cast("Sequence[ReachItem]", document.items)
    verdicts: dict[str, int] = {}
    for each in every:
        verdicts[each["verdict"]] = verdicts.get(each["verdict"], 0) + 1
    ranked = sorted(every, key=_gravity_key)
    if set(verdicts) == {"not-known"}:
        why = dict.fromkeys(
            describe_unknown(u) for row in every for u in row["unknown"]
        )
        return ReachSection((), 0, {}, document.coverage, "; ".join(why), every=every)
    return ReachSection(
        ranked[:MAX_ROWS],
        len(every),
        verdicts,
        document.coverage,
        every=every,
        more=bool(listed.after),
    )


def _gravity_key(row: ReachItem) -> tuple[bool, bool, bool, int]:
    """Return the sort key: admin, any resource, unconditional, fewer steps."""
    return (
        not row["admin"],
        row["resource"] != "*",
        row["verdict"] != "always",
        len(row["path"]),
    )


def usage_rows(
    desk: StoreCache,
    subject: str,
    found: ReachSection,
    accounts: Collection[str],
    *,
    told: bool,
) -> list[PatternUsageItem]:
    """Compare the permissions of a subject with its recorded calls.

    Args:
        accounts: Accounts whose logs record its calls.
        told: Whether its calls may be shown; else only permissions are.
    """
    standing = desk.current_view()
    if not told:
        silent = TrailCoverage({}, load_catalogue(()), {})
        return list_permission_usage(
            subject, found.every, (), silent, frozenset(accounts)
        )
    with desk.open_store() as store:
        calls = count_recorded_calls(
            store, standing.inventory, subject, standing.chains
        )
    logs = desk.get_derived("trail", lambda _: _load_trail(desk))
    named = [row["action"] for row in found.every] + [call.action for call in calls]
    services = {each.partition(":")[0] for each in named}
    plain = frozenset(each for each in services if "*" not in each and "?" not in each)
    trail = TrailCoverage(logs.logs, load_catalogue(plain), logs.days)
    return list_permission_usage(
        subject, found.every, calls, trail, frozenset(accounts)
    )


def _load_trail(desk: StoreCache) -> TrailCoverage:
    with desk.open_store() as store:
        return read_trail_coverage(store, load_catalogue(()))


def not_found_page(desk: StoreCache, kind: str, key: str) -> PageAnswer:
    """Build a page for an unknown id, with similar names."""
    listing = getattr(inventory_listings, kind)(desk)
    asked = key.casefold()
    tail = asked.rpartition("/")[2].rpartition(":")[2]
    names = list(listing.by_key)
    near = [name for name in names if tail and tail in name.casefold()][
        :_MAX_SUGGESTIONS
    ]
    if not near:
        near = get_close_matches(
            key, select_similar_names(key, names), _MAX_SUGGESTIONS, cutoff=0.6
        )
    values = {
        "kind": kind,
        "key": key,
        "near": near,
        "coverage": inventory_listings.coverage_document(desk).coverage,
    }
    return PageAnswer("missing.html", "Not found", values, status=404)
