"""Live entries of the overview: denied calls, approval requests, quarantined definitions.

They are events and states of this moment; defects of the estate are findings.
"""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import cast

from answerable.model.documents.approval_requests import ApprovalRequestItem
from answerable.model.documents.baseline import BaselineItem
from answerable.model.documents.decisions import DecisionItem
from answerable.model.documents.pins import DefinitionDiffItem
from answerable.model.errors import AnswerableError
from answerable.model.time_units import DAY_NS
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
from answerable.web.activity_scope import get_visible_subjects
from answerable.web.pages import inventory_list_definitions
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

MAX_ENTRIES = 24
EFFECTS = ("allow", "ask", "deny", "error")
_MAX_DENIALS = 6
_MAX_REQUESTS = 4
_DEFINITION_MEASURES = ("quarantined tool definitions", "gateway servers without pins")


@dataclass(frozen=True, slots=True)
class LiveEntry:
    """One live entry of the overview.

    Attributes:
        grave: Style: `bad`, `warn` or `plain`.
        subject: Id, empty for none.
        at: RFC 3339; empty for a state.
    """

    rank: int
    word: str
    grave: str
    subject: str
    said: str
    to: str
    at: str = ""


@dataclass(frozen=True, slots=True)
class ActivityCounts:
    """Counts of the activity that a visitor may see; None for what no gateway recorded.

    Attributes:
        own: Whether they cover only the visitor's own agents.
        baselines: Agents by the most advanced stage of their baselines.
    """

    own: bool
    decisions: int | None
    effects: Mapping[str, int | None]
    asks: int | None
    baselines: Mapping[str, int | None]


def count_quarantined_definitions(
    cache: StoreCache,
) -> tuple[list[LiveEntry], dict[str, int | None]]:
    """Return entries of quarantined tool definitions, and counts; None if not known."""
    state = cache.root / "gateway"
    if cache.config is not None:
        state = gateway_state(cache.config, cache.root)
    files = PinFiles(state)
    try:
        known = {name: files.read_pins(name) for name in files.list_servers()}
        with cache.open_store() as store:
            approvals = tool_pins.read_signed_approvals(store, cache.now)
    except (AnswerableError, OSError):
        return [], dict.fromkeys(_DEFINITION_MEASURES)
    if not known and cache.config is None:
        return [], dict.fromkeys(_DEFINITION_MEASURES)
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
        LiveEntry(
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
    return attention, dict(
        zip(_DEFINITION_MEASURES, (len(held), len(unpinned)), strict=True)
    )


def count_activity(
    cache: StoreCache, visitor: Visitor
) -> tuple[ActivityCounts, list[LiveEntry]]:
    """Count decisions, approval requests and baselines; also return live entries."""
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
    items = _build_denial_entries(cast("Sequence[DecisionItem]", denied.items))
    items += [_build_approval_request_entry(item) for item in waiting[:_MAX_REQUESTS]]
    recorded = "gateway" in wanted.coverage["seen"]
    numbers = ActivityCounts(
        own=own is not None,
        decisions=sum(counts.values()) if recorded else None,
        effects={e: counts.get(e, 0) if recorded else None for e in EFFECTS},
        asks=len(waiting) if recorded else None,
        baselines=_count_agents_by_stage(baselines),
    )
    return numbers, items


def _build_denial_entries(items: Sequence[DecisionItem]) -> list[LiveEntry]:
    """Return an entry for each distinct denial, with its number."""
    groups: dict[tuple[str, str], list[LiveEntry]] = {}
    for item in items:
        entry = _build_denial_entry(item)
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
    equal: Sequence[LiveEntry], denials: Sequence[DecisionItem]
) -> str:
    """Describe how many of the last denials are equal."""
    return f"({len(equal) + 1} of the last {len(denials)} refusals)"


def _build_denial_entry(item: DecisionItem) -> LiveEntry:
    """Build the entry of one denied call."""
    went = ", but not blocked" if item["passed"] else ""
    reason = REASONS.get(item["reason"], item["reason"])
    why = next((each["sentence"] for each in item["findings"]), reason)
    return LiveEntry(
        rank=10,
        word="denied",
        grave="bad",
        subject=item["agent"],
        said=f"{item['name'] or item['action']} at {item['server']}{went}: {why}",
        to=build_url("/decision", id=item["id"]),
        at=item["at"],
    )


def _build_approval_request_entry(item: ApprovalRequestItem) -> LiveEntry:
    """Build the entry of one open approval request."""
    why = REASONS.get(item["reason"], item["reason"])
    times = "once" if item["count"] == 1 else f"{item['count']:,} times"
    return LiveEntry(
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


def list_incomplete_sources(cache: StoreCache) -> Iterator[LiveEntry]:
    """Yield the sources that a scan could not read completely."""
    document = inventory_list_definitions.build_coverage_document(cache)
    for source in document.coverage["sources"]:
        if source["problems"]:
            text = (
                f"{source['source']} could not be read completely: "
                f"{source['problems'][0]}"
            )
            yield LiveEntry(45, "partial", "warn", "", text, "/agents")
