"""Show the overview page: key numbers and the attention list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from answerable.model.documents.approval_requests import ApprovalRequestItem
from answerable.model.documents.baseline import BaselineItem
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.pins import DefinitionDiffItem
from answerable.model.errors import AnswerableError
from answerable.model.person import OwnerState
from answerable.model.time_units import DAY_NS
from answerable.presentation.decision_reasons import REASONS
from answerable.presentation.protection_summary import ProtectionSummary
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization import list_approval_requests, tool_pins
from answerable.usecases.authorization.list_decisions import (
    count_decision_effects,
    list_decisions,
)
from answerable.usecases.baseline.list_profiles import list_baselines
from answerable.web.activity_scope import get_visible_subjects
from answerable.web.pages import attention_list, inventory_list_definitions
from answerable.web.pages.attention_list import AttentionItem
from answerable.web.pages.client_protection import load_protection_summary
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_MAX_DENIALS = 6
_MAX_REQUESTS = 4
_EFFECTS = ("allow", "ask", "deny", "error")


def show_overview(
    cache: StoreCache, visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """Show the key numbers, and the most severe findings."""
    looks, working = attention_list.list_inventory_findings(cache)
    quarantine, pinned = _count_quarantined_definitions(cache)
    looks += quarantine
    deeds: Mapping[str, object] | None = None
    protection: ProtectionSummary | str | None = None
    if WebPermission.INVESTIGATE in visitor.may:
        protection = load_protection_summary(cache)
    if WebPermission.INVESTIGATE in visitor.may or WebPermission.OWN in visitor.may:
        deeds, more = _count_activity(cache, visitor)
        looks += more
    looks.sort(key=lambda look: look.rank)
    document = inventory_list_definitions.build_coverage_document(cache)
    sources = document.coverage["sources"]
    values = {
        "agents": _count_agents(cache),
        "identities": _count_identities(cache),
        "credentials": _count_credentials(cache),
        "tools": {**_count_tools(cache), "pins": pinned},
        "deeds": deeds,
        "protection": protection,
        "looks": looks[: attention_list.MAX_ENTRIES],
        "working": working,
        "more": max(0, len(looks) - attention_list.MAX_ENTRIES),
        "oldest": min((each["at"] for each in sources), default=""),
        "sources": len(sources),
        "empty": not sources and not inventory_list_definitions.agents(cache).items,
        "coverage": document.coverage,
    }
    return PageAnswer("overview.html", "Overview", values)


def _count_agents(cache: StoreCache) -> dict[str, object]:
    """Count agents by owner state, and unattended ones."""
    listing = inventory_list_definitions.agents(cache)
    states = listing.counts["owner-state"]
    return {
        "total": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "agents", len(listing.items)
        ),
        "states": [(s.value, states[s.value]) for s in OwnerState if states[s.value]],
        "unattended": listing.counts["runs"]["unattended"],
    }


def _count_identities(cache: StoreCache) -> dict[str, object]:
    """Count identities, those that agents reach, and those without an owner."""
    listing = inventory_list_definitions.identities(cache)
    reached = listing.counts["agents"]["some"]
    unowned = listing.count_matching({"agents": "some", "owner-state": "none"})
    return {
        "total": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "identities", len(listing.items)
        ),
        "reached": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "identities", reached
        ),
        "unowned": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "identities", unowned
        ),
    }


def _count_credentials(cache: StoreCache) -> dict[str, object]:
    """Count credentials: static, old, and in clear text."""
    listing = inventory_list_definitions.credentials(cache)
    static = listing.counts["lifetime"]["static"]
    old = listing.count_matching({"lifetime": "static", "age": "old"})
    undated = listing.count_matching({"lifetime": "static", "age": "not-collected"})
    return {
        "total": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "credentials", len(listing.items)
        ),
        "static": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "credentials", static
        ),
        "old": old
        if old or (static and not undated)
        else _zero_or_none_if_undated(cache, undated),
        "undated": undated if old else 0,
        "literal": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "credentials", listing.counts["held"]["literal"]
        ),
    }


def _zero_or_none_if_undated(cache: StoreCache, undated_count: int) -> int | None:
    """Return 0 old credentials, or None if an age is unknown."""
    return (
        None
        if undated_count
        else inventory_list_definitions.count_or_none_if_unscanned(
            cache, "credentials", 0
        )
    )


def _count_tools(cache: StoreCache) -> dict[str, object]:
    """Count tools, and unattended ones."""
    listing = inventory_list_definitions.tools(cache)
    return {
        "total": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "tools", len(listing.items)
        ),
        "unattended": inventory_list_definitions.count_or_none_if_unscanned(
            cache, "tools", listing.counts["runs"]["unattended"]
        ),
    }


def _count_quarantined_definitions(
    cache: StoreCache,
) -> tuple[list[AttentionItem], dict[str, object]]:
    """Return findings about quarantined tool definitions, and their counts."""
    state = cache.root / "gateway"
    if cache.config is not None:
        state = gateway_state(cache.config, cache.root)
    files = PinFiles(state)
    try:
        known = {name: files.read_pins(name) for name in files.list_servers()}
        with cache.open_store() as store:
            approvals = tool_pins.read_signed_approvals(store, cache.now)
    except (AnswerableError, OSError):
        return [], {"unread": True}
    if not known and cache.config is None:
        return [], {}
    document = tool_pins.show_definition_differences(
        known, known, approvals, include_unchanged=False
    )
    items = cast("Sequence[DefinitionDiffItem]", document.items)
    held = [item for item in items if item["quarantined"]]
    unpinned = [
        server.name
        for server in (cache.config.servers if cache.config is not None else ())
        if server.name not in known
    ]
    attention = [
        AttentionItem(
            rank=15,
            word="quarantined",
            grave="bad",
            subject="",
            said=f"{item['name'] or item['server']} of {item['server']} is "
            f"{item['state']}: it cannot be called until a person approves it",
            to=build_url("/tools", q=item["server"]),
            at=item["since"] or "",
        )
        for item in held[:_MAX_REQUESTS]
    ]
    return attention, {"quarantined": len(held), "unpinned": len(unpinned)}


def _count_activity(
    cache: StoreCache, visitor: Visitor
) -> tuple[dict[str, object], list[AttentionItem]]:
    """Count decisions, approval requests and baselines; also return findings."""
    now, own = cache.now, get_visible_subjects(visitor)
    with cache.open_store() as store:
        counts = count_decision_effects(
            store, cache.spools, Wanted(identities=own), since=now - DAY_NS
        )
        denied, _ = list_decisions(
            store,
            cache.spools,
            Wanted(identities=own, effect="deny"),
            limit=_MAX_DENIALS,
            now=now,
        )
        wanted = list_approval_requests.list_approval_requests(
            store, cache.spools, now=now, since=now - 30 * DAY_NS, state="open"
        )
        found = cast("Sequence[BaselineItem]", list_baselines(store, now=now).items)
    baselines = [item for item in found if visitor.can_see_activity_of(item["agent"])]
    waiting = [
        item
        for item in cast("Sequence[ApprovalRequestItem]", wanted.items)
        if visitor.can_see_activity_of(item["agent"])
    ]
    items = _build_denial_findings(cast("Sequence[DecisionItem]", denied.items))
    items += [_build_approval_request_finding(item) for item in waiting[:_MAX_REQUESTS]]
    recorded = "gateway" in wanted.coverage["seen"]
    numbers: dict[str, object] = {
        "effects": [(effect, counts.get(effect, 0)) for effect in _EFFECTS]
        if recorded
        else [],
        "decisions": sum(counts.values()) if recorded else None,
        "own": own is not None,
        "asks": len(waiting) if recorded else None,
        "baselines": _count_agents_by_stage(baselines),
    }
    return numbers, items


def _build_denial_findings(items: Sequence[DecisionItem]) -> list[AttentionItem]:
    """Return a finding for each distinct denial, with its number."""
    groups: dict[tuple[str, str], list[AttentionItem]] = {}
    for item in items:
        entry = _build_denial_finding(item)
        groups.setdefault((entry.subject, entry.said), []).append(entry)
    return [
        newest
        if not more
        else replace(
            newest, said=f"{newest.said} {_describe_denial_count(more, items)}"
        )
        for newest, *more in groups.values()
    ]


def _describe_denial_count(
    equal: Sequence[AttentionItem], denials: Sequence[DecisionItem]
) -> str:
    """Describe how many of the last denials are equal."""
    return f"({len(equal) + 1} of the last {len(denials)} refusals)"


def _build_denial_finding(item: DecisionItem) -> AttentionItem:
    """Build the finding about one denied call."""
    went = ", and went on" if item["passed"] else ""
    reason = REASONS.get(item["reason"], item["reason"])
    why = next((each["sentence"] for each in item["findings"]), reason)
    return AttentionItem(
        rank=10,
        word="denied",
        grave="bad",
        subject=item["agent"],
        said=f"{item['name'] or item['action']} at {item['server']}{went}: {why}",
        to=build_url("/decision", id=item["id"]),
        at=item["at"],
    )


def _build_approval_request_finding(item: ApprovalRequestItem) -> AttentionItem:
    """Build the finding about one open approval request."""
    why = REASONS.get(item["reason"], item["reason"])
    times = "once" if item["count"] == 1 else f"{item['count']:,} times"
    return AttentionItem(
        rank=25,
        word="asks",
        grave="warn",
        subject=item["agent"],
        said=f"{item['name']} at {item['server']}: {why}, {times}",
        to=build_url("/ask", id=item["id"]),
        at=item["last"],
    )


def _count_agents_by_stage(items: Sequence[BaselineItem]) -> dict[str, int]:
    """Count agents by the most advanced stage of their baselines."""
    furthest: dict[str, str] = {}
    ranks = {"enforce": 2, "shadow": 1}
    for item in items:
        stage = item["stage"] if item["state"] == "standing" and item["stage"] else ""
        before = furthest.get(item["agent"], "")
        if ranks.get(stage, 0) >= ranks.get(before, 0):
            furthest[item["agent"]] = stage
    counts = Counter(stage or "unsigned" for stage in furthest.values())
    return {word: counts[word] for word in ("enforce", "shadow", "off", "unsigned")}


ROUTES: tuple[WebRoute, ...] = (WebRoute("/", show_overview),)
