"""Overview page: key numbers, and the attention list."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import cast

from answerable.model.documents.approval_requests import AskItem
from answerable.model.documents.baseline import BaselineItem
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.pins import ToolsDiffItem
from answerable.model.errors import AnswerableError
from answerable.model.person import OwnerState
from answerable.presentation.decision_reasons import REASONS
from answerable.server.pins.pin_files import PinFiles
from answerable.server.state_folders import gateway_state
from answerable.services.authorization import approval_requests
from answerable.store.decision_queries import Asked as Wanted
from answerable.usecases.authorization import tool_pins
from answerable.usecases.authorization.list_decisions import decisions, effects
from answerable.usecases.baseline.list_profiles import listed
from answerable.web.activity_scope import only
from answerable.web.pages import attention_list, inventory_listings
from answerable.web.pages.attention_list import Look
from answerable.web.routing import Answer, Asked, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

_DAY = 86_400 * 10**9
_DENIED = 6
_ASKS = 4
_EFFECTS = ("allow", "ask", "deny", "error")


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show the key numbers with links."""
    del asked
    looks, working = attention_list.of_inventory(desk)
    quarantine, pinned = _pins(desk)
    looks += quarantine
    deeds: Mapping[str, object] | None = None
    if May.INVESTIGATE in visit.may or May.OWN in visit.may:
        deeds, more = _deeds(desk, visit)
        looks += more
    looks.sort(key=lambda look: look.rank)
    document = inventory_listings.coverage(desk)
    sources = document.coverage["sources"]
    values = {
        "agents": _agents(desk),
        "identities": _identities(desk),
        "credentials": _credentials(desk),
        "tools": {**_tools(desk), "pins": pinned},
        "deeds": deeds,
        "looks": looks[: attention_list.MOST],
        "working": working,
        "more": max(0, len(looks) - attention_list.MOST),
        "oldest": min((each["at"] for each in sources), default=""),
        "sources": len(sources),
        "empty": not sources and not inventory_listings.agents(desk).items,
        "coverage": document.coverage,
    }
    return Page("overview.html", "Overview", values)


def _agents(desk: Desk) -> dict[str, object]:
    listing = inventory_listings.agents(desk)
    states = listing.counts["owner-state"]
    return {
        "total": inventory_listings.count(desk, "agents", len(listing.items)),
        "states": [(s.value, states[s.value]) for s in OwnerState if states[s.value]],
        "unattended": listing.counts["runs"]["unattended"],
    }


def _identities(desk: Desk) -> dict[str, object]:
    listing = inventory_listings.identities(desk)
    reached = listing.counts["agents"]["some"]
    return {
        "total": inventory_listings.count(desk, "identities", len(listing.items)),
        "reached": inventory_listings.count(desk, "identities", reached),
        "unowned": listing.joint({"agents": "some", "owner-state": "none"})
        if reached
        else inventory_listings.count(desk, "identities", 0),
    }


def _credentials(desk: Desk) -> dict[str, object]:
    listing = inventory_listings.credentials(desk)
    static = listing.counts["lifetime"]["static"]
    old = listing.joint({"lifetime": "static", "age": "old"})
    undated = listing.joint({"lifetime": "static", "age": "not-collected"})
    return {
        "total": inventory_listings.count(desk, "credentials", len(listing.items)),
        "static": inventory_listings.count(desk, "credentials", static),
        "old": old if old or (static and not undated) else _none(desk, undated),
        "undated": undated if old else 0,
        "literal": inventory_listings.count(
            desk, "credentials", listing.counts["held"]["literal"]
        ),
    }


def _none(desk: Desk, undated: int) -> int | None:
    """Return 0 old credentials, or None if an age is unknown."""
    return None if undated else inventory_listings.count(desk, "credentials", 0)


def _tools(desk: Desk) -> dict[str, object]:
    listing = inventory_listings.tools(desk)
    return {
        "total": inventory_listings.count(desk, "tools", len(listing.items)),
        "unattended": inventory_listings.count(
            desk, "tools", listing.counts["runs"]["unattended"]
        ),
    }


def _pins(desk: Desk) -> tuple[list[Look], dict[str, object]]:
    """Return quarantined items of the gateway's servers."""
    state = desk.root / "gateway"
    if desk.config is not None:
        state = gateway_state(desk.config, desk.root)
    files = PinFiles(state)
    try:
        known = {name: files.read(name) for name in files.servers()}
        with desk.store() as store:
            words = tool_pins.signed(store)
    except (AnswerableError, OSError):
        return [], {"unread": True}
    if not known and desk.config is None:
        return [], {}
    document = tool_pins.diff(known, known, words, every=False)
    items = cast("Sequence[ToolsDiffItem]", document.items)
    held = [item for item in items if item["quarantined"]]
    unpinned = [
        server.name
        for server in (desk.config.servers if desk.config is not None else ())
        if server.name not in known
    ]
    looks = [
        Look(
            15,
            "quarantined",
            "bad",
            "",
            f"{item['name'] or item['server']} of {item['server']} is {item['state']}: "
            "it is held back until a person approves it",
            url("/tools", q=item["server"]),
            item["since"] or "",
        )
        for item in held[:_ASKS]
    ]
    return looks, {"quarantined": len(held), "unpinned": len(unpinned)}


def _deeds(desk: Desk, visit: Visit) -> tuple[dict[str, object], list[Look]]:
    """Return recent activity and approval requests that the visitor may see."""
    now, own = desk.now, only(visit)
    with desk.store() as store:
        counts = effects(store, desk.spools, Wanted(of=own), since=now - _DAY)
        denied, _ = decisions(
            store, desk.spools, Wanted(of=own, effect="deny"), limit=_DENIED, now=now
        )
        wanted = approval_requests.asks(
            store, desk.spools, now=now, since=now - 30 * _DAY, state="open"
        )
        found = cast("Sequence[BaselineItem]", listed(store, now=now).items)
    baselines = [item for item in found if visit.sees_deeds_of(item["agent"])]
    waiting = [
        item
        for item in cast("Sequence[AskItem]", wanted.items)
        if visit.sees_deeds_of(item["agent"])
    ]
    looks = _denials(cast("Sequence[DecisionItem]", denied.items))
    looks += [_asked(item) for item in waiting[:_ASKS]]
    recorded = "gateway" in wanted.coverage["seen"]
    told: dict[str, object] = {
        "effects": [(effect, counts.get(effect, 0)) for effect in _EFFECTS]
        if recorded
        else [],
        "decisions": sum(counts.values()) if recorded else None,
        "own": own is not None,
        "asks": len(waiting) if recorded else None,
        "baselines": _stages(baselines),
    }
    return told, looks


def _denials(items: Sequence[DecisionItem]) -> list[Look]:
    """Group equal denials, with their number."""
    looks: dict[tuple[str, str], list[Look]] = {}
    for item in items:
        look = _denied(item)
        looks.setdefault((look.subject, look.said), []).append(look)
    return [
        newest
        if not more
        else replace(newest, said=f"{newest.said} {_of(more, items)}")
        for newest, *more in looks.values()
    ]


def _of(more: Sequence[Look], items: Sequence[DecisionItem]) -> str:
    return f"({len(more) + 1} of the last {len(items)} refusals)"


def _denied(item: DecisionItem) -> Look:
    went = ", and went on" if item["passed"] else ""
    told = REASONS.get(item["reason"], item["reason"])
    why = next((each["sentence"] for each in item["findings"]), told)
    return Look(
        10,
        "denied",
        "bad",
        item["agent"],
        f"{item['name'] or item['action']} at {item['server']}{went}: {why}",
        url("/decision", id=item["id"]),
        item["at"],
    )


def _asked(item: AskItem) -> Look:
    why = REASONS.get(item["reason"], item["reason"])
    times = "once" if item["count"] == 1 else f"{item['count']:,} times"
    return Look(
        25,
        "asks",
        "warn",
        item["agent"],
        f"{item['name']} at {item['server']}: {why}, {times}",
        url("/ask", id=item["id"]),
        item["last"],
    )


def _stages(items: Sequence[BaselineItem]) -> dict[str, int]:
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


ROUTES: tuple[Route, ...] = (Route("/", page),)
