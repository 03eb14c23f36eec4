"""`/baselines`: show baselines and drafts, replay them, and learn new drafts."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast
from weakref import WeakKeyDictionary

from answerable.model.documents.baseline import BaselineItem, BaselineReplayItem
from answerable.model.ids import AgentId
from answerable.presentation.command_hints import format_command
from answerable.server.shared_user_check import check_shared_user
from answerable.store.monitored_call_queries import find_window_start
from answerable.usecases.baseline import manage_profiles, replay_calls
from answerable.usecases.baseline.list_profiles import list_baselines
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

LAYERS: Mapping[str, str] = {
    "L1": "Tools that it calls",
    "L2": "Values of their arguments",
    "L3": "Origins of values",
    "L4": "Order and amount",
    "L5": "Times, rates and places of calls",
}
_MONTH = 30 * 86_400 * 10**9
_MAX_CALLS = 20_000  # the newest calls, for learning and replay
_MAX_CACHED = 32  # replays
_MAX_ROWS = 500  # entries of a layer, changes, denied calls

_Key = tuple[str, str, bytes]  # agent, digest, checkpoint of the log
_REPLAY_CACHE: WeakKeyDictionary[StoreCache, OrderedDict[_Key, BaselineReplayItem]] = (
    WeakKeyDictionary()
)


def show_baselines(
    cache: StoreCache, visitor: Visitor, _request: RouteRequest
) -> RouteAnswer:
    """List the baselines that the visitor may see."""
    items = [
        each
        for each in _read_all_baselines(cache)
        if visitor.can_see_activity_of(each["agent"])
    ]
    watched = () if cache.config is None else cache.config.agents
    held = {item["agent"] for item in items}
    values = {
        "items": items,
        "bare": [
            agent.id
            for agent in watched
            if agent.baseline is not None
            and agent.id not in held
            and visitor.can_see_activity_of(agent.id)
        ],
        "command": format_command("baseline", "learn", "AGENT"),
    }
    return PageAnswer("baselines.html", "Baselines", values)


def show_agent_baselines(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show an agent's baselines: the one in force, and the changes of the newest."""
    agent = request.query.get("agent", "")
    if not agent or not visitor.can_see_activity_of(agent):
        raise Forbidden
    items = [each for each in _read_all_baselines(cache) if each["agent"] == agent]
    if not (items or visitor.answers_for(agent) or _is_known(cache, agent)):
        raise Forbidden  # a misspelled id is no agent without a baseline
    digest = request.query.get("digest", "")
    chosen = next((each for each in items if each["digest"] == digest), None)
    if chosen is None:
        if digest:
            raise Forbidden
        chosen = items[0] if items else None
    values: dict[str, object] = {
        "agent": agent,
        "items": items,
        "chosen": chosen,
        "own": visitor.answers_for(agent),
        "advisory": check_shared_user(
            cache.current_view().inventory, agent, cache.config
        ),
        "command": format_command("baseline", "learn", agent),
    }
    if chosen is not None:
        values |= _baseline_details(cache, chosen)
    return PageAnswer("baseline.html", "Baseline", values)


def show_replay(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the verdicts of a baseline on the calls of the last 30 days."""
    agent, digest = (request.query.get(each, "") for each in ("agent", "digest"))
    items = [each for each in _read_all_baselines(cache) if each["agent"] == agent]
    known = any(each["digest"] == digest for each in items)
    if not known or not visitor.can_see_activity_of(agent):
        raise Forbidden
    values = {
        "agent": agent,
        "digest": digest,
        "replay": cached_replay(cache, AgentId(agent), digest),
        "most": _MAX_CALLS,
    }
    return PageAnswer("baseline_replay.html", "Replay", values)


def cached_replay(cache: StoreCache, agent: AgentId, digest: str) -> BaselineReplayItem:
    """Replay recent calls against a baseline, once per state of the store."""
    kept = _REPLAY_CACHE.setdefault(cache, OrderedDict())
    with cache.open_store() as store:
        key = (agent, digest, store.log.checkpoint())
        if key not in kept:
            since, now = cache.now - _MONTH, cache.now
            document = replay_calls.replay_profile(
                store, agent, digest, since=since, now=now, limit=_MAX_CALLS
            )
            kept[key] = cast("BaselineReplayItem", document.items[0])
            while len(kept) > _MAX_CACHED:
                kept.popitem(last=False)
        return kept[key]


def learn_drafts(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Learn draft baselines from recorded calls; a draft enforces nothing."""
    agent, now = request.form.get("agent", ""), cache.now
    if not visitor.answers_for(agent):
        raise Forbidden
    with cache.open_store() as store:
        since = find_window_start(store, AgentId(agent), max_calls=_MAX_CALLS)
        drafts = manage_profiles.learn_profiles(
            store, AgentId(agent), since=since, now=now
        )
    said = (
        f"Learned {len(drafts.items)} drafts. A draft has no effect until you sign it."
    )
    return Redirect(build_url("/baseline", agent=agent), said)


def _is_known(cache: StoreCache, agent: str) -> bool:
    """Return whether a scan or the configuration names an agent."""
    declared = () if cache.config is None else cache.config.agents
    return agent in cache.current_view().inventory.agents or any(
        each.id == agent for each in declared
    )


def _read_all_baselines(cache: StoreCache) -> list[BaselineItem]:
    """Read all baselines and drafts of the store."""
    with cache.open_store() as store:
        return cast("list[BaselineItem]", list_baselines(store, now=cache.now).items)


def _baseline_details(cache: StoreCache, chosen: BaselineItem) -> dict[str, object]:
    """Return the entries of a baseline by layer, and the changes that signing makes."""
    now, digest = cache.now, chosen["digest"]
    with cache.open_store() as store:
        shown = cast(
            "BaselineItem",
            manage_profiles.show_profile(store, digest, now=now).items[0],
        )
        changes = manage_profiles.compare_profiles(store, "", digest, now=now).items
    entries = {
        layer: [each for each in shown["entries"] if each["layer"] == layer]
        for layer in LAYERS
    }
    return {
        "layers": [
            {
                "name": layer,
                "title": title,
                "entries": entries[layer][:_MAX_ROWS],
                "more": max(len(entries[layer]) - _MAX_ROWS, 0),
                "unseen": next(
                    (
                        each
                        for each in shown["layers"]
                        if each["layer"].startswith(layer)
                    ),
                    None,
                ),
            }
            for layer, title in LAYERS.items()
        ],
        "changes": changes[:_MAX_ROWS],
        "changed": len(changes),
        "learned": shown,
    }


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/baselines", show_baselines, ACTIVITY_PERMISSIONS),
    WebRoute(
        "/baseline", show_agent_baselines, ACTIVITY_PERMISSIONS, ("agent", "digest")
    ),
    WebRoute(
        "/baseline/replay", show_replay, ACTIVITY_PERMISSIONS, ("agent", "digest")
    ),
    WebRoute(
        "/baseline/learn",
        learn_drafts,
        frozenset({WebPermission.OWN}),
        ("agent",),
        "POST",
    ),
)
