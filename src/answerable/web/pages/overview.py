"""Overview page: key numbers, and the attention list."""

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
from answerable.presentation.decision_reasons import REASONS
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.store.decision_queries import DecisionFilter as Wanted
from answerable.usecases.authorization import list_approval_requests, tool_pins
from answerable.usecases.authorization.list_decisions import (
    count_decision_effects,
    list_decisions,
)
from answerable.usecases.baseline.list_profiles import list_baselines
from answerable.web.activity_scope import visible_subjects
from answerable.web.pages import attention_list, inventory_listings
from answerable.web.pages.attention_list import AttentionItem
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_DAY = 86_400 * 10**9
_MAX_DENIALS = 6
_MAX_REQUESTS = 4
_EFFECTS = ("allow", "ask", "deny", "error")


def show_overview(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show the key numbers with links."""
    del asked
    looks, working = attention_list.inventory_items(desk)
    quarantine, pinned = _pin_numbers(desk)
    looks += quarantine
    deeds: Mapping[str, object] | None = None
    if WebPermission.INVESTIGATE in visit.may or WebPermission.OWN in visit.may:
        deeds, more = _activity_numbers(desk, visit)
        looks += more
    looks.sort(key=lambda look: look.rank)
    document = inventory_listings.coverage_document(desk)
    sources = document.coverage["sources"]
    values = {
        "agents": _agent_numbers(desk),
        "identities": _identity_numbers(desk),
        "credentials": _credential_numbers(desk),
        "tools": {**_tool_numbers(desk), "pins": pinned},
        "deeds": deeds,
        "looks": looks[: attention_list.MAX_ENTRIES],
        "working": working,
        "more": max(0, len(looks) - attention_list.MAX_ENTRIES),
        "oldest": min((each["at"] for each in sources), default=""),
        "sources": len(sources),
        "empty": not sources and not inventory_listings.agents(desk).items,
        "coverage": document.coverage,
    }
    return PageAnswer("overview.html", "Overview", values)


def _agent_numbers(desk: StoreCache) -> dict[str, object]:
    listing = inventory_listings.agents(desk)
    states = listing.counts["owner-state"]
    return {
        "total": inventory_listings.known_count(desk, "agents", len(listing.items)),
        "states": [(s.value, states[s.value]) for s in OwnerState if states[s.value]],
        "unattended": listing.counts["runs"]["unattended"],
    }


def _identity_numbers(desk: StoreCache) -> dict[str, object]:
    listing = inventory_listings.identities(desk)
    reached = listing.counts["agents"]["some"]
    return {
        "total": inventory_listings.known_count(desk, "identities", len(listing.items)),
        "reached": inventory_listings.known_count(desk, "identities", reached),
        "unowned": listing.count_matching({"agents": "some", "owner-state": "none"})
        if reached
        else inventory_listings.known_count(desk, "identities", 0),
    }


def _credential_numbers(desk: StoreCache) -> dict[str, object]:
    listing = inventory_listings.credentials(desk)
    static = listing.counts["lifetime"]["static"]
    old = listing.count_matching({"lifetime": "static", "age": "old"})
    undated = listing.count_matching({"lifetime": "static", "age": "not-collected"})
    return {
        "total": inventory_listings.known_count(
            desk, "credentials", len(listing.items)
        ),
        "static": inventory_listings.known_count(desk, "credentials", static),
        "old": old if old or (static and not undated) else _count_none(desk, undated),
        "undated": undated if old else 0,
        "literal": inventory_listings.known_count(
            desk, "credentials", listing.counts["held"]["literal"]
        ),
    }


def _count_none(desk: StoreCache, undated: int) -> int | None:
    """Return 0 old credentials, or None if an age is unknown."""
    return None if undated else inventory_listings.known_count(desk, "credentials", 0)


def _tool_numbers(desk: StoreCache) -> dict[str, object]:
    listing = inventory_listings.tools(desk)
    return {
        "total": inventory_listings.known_count(desk, "tools", len(listing.items)),
        "unattended": inventory_listings.known_count(
            desk, "tools", listing.counts["runs"]["unattended"]
        ),
    }


def _pin_numbers(desk: StoreCache) -> tuple[list[AttentionItem], dict[str, object]]:
    """Return quarantined items of the gateway's servers."""
    state = desk.root / "gateway"
    if desk.config is not None:
        state = gateway_state(desk.config, desk.root)
    files = PinFiles(state)
    try:
        known = {name: files.read(name) for name in files.list_servers()}
        with desk.open_store() as store:
            words = tool_pins.read_signed_approvals(store)
    except (AnswerableError, OSError):
        return [], {"unread": True}
    if not known and desk.config is None:
        return [], {}
    document = tool_pins.show_differences(known, known, words, include_unchanged=False)
    items = cast("Sequence[DefinitionDiffItem]", document.items)
    held = [item for item in items if item["quarantined"]]
    unpinned = [
        server.name
        for server in (desk.config.servers if desk.config is not None else ())
        if server.name not in known
    ]
    looks = [
        AttentionItem(
            rank=15,
            word="quarantined",
            grave="bad",
            subject="",
            said=f"{item['name'] or item['server']} of {item['server']} is {item['state']}: "
            "it is held back until a person approves it",
            to=build_url("/tools", q=item["server"]),
            at=item["since"] or "",
        )
        for item in held[:_MAX_REQUESTS]
    ]
    return looks, {"quarantined": len(held), "unpinned": len(unpinned)}


def _activity_numbers(
    desk: StoreCache, visit: Visitor
) -> tuple[dict[str, object], list[AttentionItem]]:
    """Return counts of recent activity, and open approval requests, for a visitor."""
    now, own = desk.now, visible_subjects(visit)
    with desk.open_store() as store:
        counts = count_decision_effects(
            store, desk.spools, Wanted(of=own), since=now - _DAY
        )
        denied, _ = list_decisions(
            store,
            desk.spools,
            Wanted(of=own, effect="deny"),
            limit=_MAX_DENIALS,
            now=now,
        )
        wanted = list_approval_requests.list_approval_requests(
            store, desk.spools, now=now, since=now - 30 * _DAY, state="open"
        )
        found = cast("Sequence[BaselineItem]", list_baselines(store, now=now).items)
    baselines = [item for item in found if visit.can_see_activity_of(item["agent"])]
    waiting = [
        item
        for item in cast("Sequence[ApprovalRequestItem]", wanted.items)
        if visit.can_see_activity_of(item["agent"])
    ]
    looks = _denial_items(cast("Sequence[DecisionItem]", denied.items))
    looks += [_request_item(item) for item in waiting[:_MAX_REQUESTS]]
    recorded = "gateway" in wanted.coverage["seen"]
    told: dict[str, object] = {
        "effects": [(effect, counts.get(effect, 0)) for effect in _EFFECTS]
        if recorded
        else [],
        "decisions": sum(counts.values()) if recorded else None,
        "own": own is not None,
        "asks": len(waiting) if recorded else None,
        "baselines": _count_stages(baselines),
    }
    return told, looks


def _denial_items(items: Sequence[DecisionItem]) -> list[AttentionItem]:
    """Group equal denials, with their number."""
    looks: dict[tuple[str, str], list[AttentionItem]] = {}
    for item in items:
        look = _denial_item(item)
        looks.setdefault((look.subject, look.said), []).append(look)
    return [
        newest
        if not more
        else replace(newest, said=f"{newest.said} {_describe_count(more, items)}")
        for newest, *more in looks.values()
    ]


def _describe_count(
    more: Sequence[AttentionItem], items: Sequence[DecisionItem]
) -> str:
    return f"({len(more) + 1} of the last {len(items)} refusals)"


def _denial_item(item: DecisionItem) -> AttentionItem:
    went = ", and went on" if item["passed"] else ""
    told = REASONS.get(item["reason"], item["reason"])
    why = next((each["sentence"] for each in item["findings"]), told)
    return AttentionItem(
        rank=10,
        word="denied",
        grave="bad",
        subject=item["agent"],
        said=f"{item['name'] or item['action']} at {item['server']}{went}: {why}",
        to=build_url("/decision", id=item["id"]),
        at=item["at"],
    )


def _request_item(item: ApprovalRequestItem) -> AttentionItem:
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


def _count_stages(items: Sequence[BaselineItem]) -> dict[str, int]:
    """Count agents by the highest stage of their baselines."""
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
