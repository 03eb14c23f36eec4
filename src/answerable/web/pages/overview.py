"""Overview page: the six questions of an estate with counts, and its most severe findings."""

import contextlib
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from answerable.model.documents.web import OverviewItem
from answerable.model.errors import AnswerableError
from answerable.model.person import OwnerState
from answerable.presentation.gateway_coverage import ProtectionSummary
from answerable.server.kills_in_force import count_kills
from answerable.server.revocation_service import RevocationService
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS
from answerable.web.paged_list import PagedList
from answerable.web.pages import (
    bulk_ownership,
    finding_trend,
    findings,
    inventory_list_definitions,
    overview_activity,
)
from answerable.web.pages.client_protection import load_protection_summary
from answerable.web.pages.overview_activity import ActivityCounts, LiveEntry
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

AGENTS = "Which agents are there?"
OWNERS = "Who owns them?"
REACH = "What can they reach?"
ACTIVITY = "What have they done?"
CONTROL = "How do I hold them to it?"
STOP = "How do I stop them?"
QUESTIONS = (AGENTS, OWNERS, REACH, ACTIVITY, CONTROL, STOP)
_GRAVE = ("critical", "high")


class Overview(NamedTuple):
    """Counts and live entries of the overview, as far as a visitor may see them."""

    items: list[OverviewItem]
    live: list[LiveEntry]


class _Measure(NamedTuple):
    """One count of a list: its facet values, or the whole list without any."""

    question: str
    kind: str
    measure: str
    facets: Mapping[str, str]


_MEASURES = (
    _Measure(AGENTS, "agents", "agents", {}),
    _Measure(AGENTS, "agents", "unattended", {"runs": "unattended"}),
    _Measure(AGENTS, "tools", "tools", {}),
    _Measure(AGENTS, "tools", "tools that run unattended", {"runs": "unattended"}),
    *(
        _Measure(OWNERS, "agents", f"owner {state.value}", {"owner-state": state.value})
        for state in OwnerState
    ),
    _Measure(
        OWNERS,
        "identities",
        "agent identities without an owner",
        {"agents": "some", "owner-state": "none"},
    ),
    _Measure(OWNERS, "people", "owners who left", {"here": "left", "owns": "some"}),
    _Measure(REACH, "identities", "identities of agents", {"agents": "some"}),
    _Measure(REACH, "identities", "identities", {}),
    _Measure(REACH, "credentials", "static credentials", {"lifetime": "static"}),
    _Measure(
        REACH,
        "credentials",
        "static, 90 days or older",
        {"lifetime": "static", "age": "old"},
    ),
    _Measure(REACH, "credentials", "in clear text", {"held": "literal"}),
    _Measure(REACH, "credentials", "credentials", {}),
)
_LISTS: Mapping[str, Callable[[StoreCache], PagedList[Any]]] = {
    "agents": inventory_list_definitions.agents,
    "tools": inventory_list_definitions.tools,
    "identities": inventory_list_definitions.identities,
    "credentials": inventory_list_definitions.credentials,
    "people": inventory_list_definitions.people,
}


def build_overview(cache: StoreCache, visitor: Visitor) -> Overview:
    """Count what a visitor may see, by question, and list the live entries."""
    items = [_count_measure(cache, each) for each in _MEASURES]
    live, definitions = overview_activity.count_quarantined_definitions(cache)
    live += overview_activity.list_incomplete_sources(cache)
    items += [
        _build_item(AGENTS, measure, count) for measure, count in definitions.items()
    ]
    if findings.FINDING_PERMISSIONS & visitor.may:
        items += _count_findings(cache)
    if ACTIVITY_PERMISSIONS & visitor.may:
        counts, more = overview_activity.count_activity(cache, visitor)
        live += more
        items += _list_activity_items(counts)
    if bulk_ownership.REQUEST_PERMISSIONS & visitor.may:
        items.append(_count_owner_requests(cache, visitor))
        live += _list_owner_requests(cache, visitor)
    items += _count_kills(cache, visitor)
    live.sort(key=lambda each: each.rank)
    return Overview(sorted(items, key=lambda e: QUESTIONS.index(e["question"])), live)


def show_overview(
    cache: StoreCache, visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Show the most severe findings, the live entries and the six questions."""
    found = build_overview(cache, visitor)
    protection: ProtectionSummary | str | None = None
    worst: findings.WorstFindings | None = None
    if WebPermission.INVESTIGATE in visitor.may:
        protection = load_protection_summary(cache)
        worst = findings.select_worst_findings(cache)
    document = inventory_list_definitions.build_coverage_document(cache)
    sources = document.coverage["sources"]
    values = {
        "questions": _group_by_question(found.items),
        "worst": worst,
        "trend": None if worst is None else finding_trend.summarize_trend(cache),
        "protection": protection,
        "live": found.live[: overview_activity.MAX_ENTRIES],
        "more": max(0, len(found.live) - overview_activity.MAX_ENTRIES),
        "sees_activity": bool(ACTIVITY_PERMISSIONS & visitor.may),
        "oldest": min((each["at"] for each in sources), default=""),
        "sources": len(sources),
        "empty": not sources and not inventory_list_definitions.agents(cache).items,
        "coverage": document.coverage,
    }
    return PageAnswer("overview.html", "Overview", values)


def _group_by_question(
    items: Sequence[OverviewItem],
) -> list[tuple[str, list[OverviewItem]]]:
    """Group items by question; an owner state that no agent has is left out."""
    return [
        (
            question,
            [
                item
                for item in items
                if item["question"] == question
                and (item["count"] != 0 or not item["measure"].startswith("owner "))
            ],
        )
        for question in QUESTIONS
    ]


def _build_item(
    question: str,
    measure: str,
    count: int | None,
    page: str = "",
    *,
    complete: bool = True,
) -> OverviewItem:
    """Build one count of the overview; one that is not known is never complete."""
    return {
        "question": question,
        "measure": measure,
        "count": count,
        "complete": complete and count is not None,
        "page": page,
    }


def _count_measure(cache: StoreCache, measure: _Measure) -> OverviewItem:
    """Count a part of a list; None instead of 0 if a source or an age is unknown."""
    listing, facets = _LISTS[measure.kind](cache), measure.facets
    found = listing.count_matching(facets)
    count = inventory_list_definitions.count_or_none_if_unscanned(
        cache, measure.kind, found
    )
    if not count and "age" in facets:
        undated = listing.count_matching({**facets, "age": "not-collected"})
        count = None if undated else count
    page = build_url(f"/{measure.kind}", **facets)
    return _build_item(
        measure.question,
        measure.measure,
        count,
        page,
        complete=inventory_list_definitions.is_list_complete(cache, measure.kind),
    )


def _count_findings(cache: StoreCache) -> Iterator[OverviewItem]:
    """Yield the numbers of grave open findings; None while they are computed."""
    listing = findings.get_findings_or_start(cache)
    for severity in _GRAVE:
        facets = {"state": "open", "severity": severity}
        count = None if listing is None else listing.count_matching(facets)
        if (
            listing is not None
            and not count
            and listing.counts["state"]["not-evaluated"]
        ):
            count = None
        yield _build_item(
            REACH,
            f"{severity} findings",
            count,
            build_url("/findings", **facets),
            complete=listing is not None
            and not listing.counts["state"]["not-evaluated"],
        )


def _list_activity_items(counts: ActivityCounts) -> Iterator[OverviewItem]:
    """Yield the counts of decisions, baselines and approval requests."""
    of_yours = ", of yours" if counts.own else ""
    yield _build_item(
        ACTIVITY,
        f"decisions of the last day{of_yours}",
        counts.decisions,
        "/decisions",
    )
    for effect, count in counts.effects.items():
        page = build_url("/decisions", effect=effect)
        yield _build_item(ACTIVITY, f"decided {effect}", count, page)
    yield _build_item(
        CONTROL, "open approval requests", counts.asks, build_url("/asks", state="open")
    )
    for stage, word in (
        ("enforce", "agents with an enforced baseline"),
        ("shadow", "agents with a baseline in shadow"),
        ("unsigned", "agents with an unsigned baseline"),
    ):
        yield _build_item(CONTROL, word, counts.baselines[stage], "/baselines")


def _count_owner_requests(cache: StoreCache, visitor: Visitor) -> OverviewItem:
    """Count the open owner requests; None instead of 0 if an entity is not scanned."""
    states = [
        each["state"] for each in bulk_ownership.list_visible_requests(cache, visitor)
    ]
    count: int | None = states.count("open")
    if not count and "not-known" in states:
        count = None
    return _build_item(OWNERS, "open owner requests", count, "/owners")


def _list_owner_requests(cache: StoreCache, visitor: Visitor) -> Iterator[LiveEntry]:
    """Yield one entry for the open owner requests to the visitor, the newest named."""
    waiting = bulk_ownership.list_requests_to(cache, visitor)
    if waiting:
        newest = waiting[0]
        more = f" and {len(waiting) - 1:,} more" if len(waiting) > 1 else ""
        yield LiveEntry(
            rank=20,
            word="owner?",
            grave="warn",
            subject=newest["subject"],
            said=f"{newest['by']} asks whether you own this{more}",
            to="/owners",
            at=newest["at"],
        )


def _count_kills(cache: StoreCache, visitor: Visitor) -> Iterator[OverviewItem]:
    """Yield the counts of kills, and of delegations that ended with a kill.

    Both are None if the file of the kills cannot be read.
    """
    kills: int | None = None
    ended: int | None = None
    with contextlib.suppress(AnswerableError):
        revoked = RevocationService(cache.root, cache.config).list_revoked()
        kills, ended = count_kills(revoked)
    administers = WebPermission.ADMINISTER in visitor.may
    page = "/kills" if administers and kills is not None else ""
    yield _build_item(STOP, "kills in force", kills, page)
    yield _build_item(STOP, "delegations ended by a kill", ended, page)


ROUTES: tuple[WebRoute, ...] = (WebRoute("/", show_overview),)
