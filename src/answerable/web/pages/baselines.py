"""`/baselines`: signed baselines and drafts, with the effect of signing."""

from collections import OrderedDict
from collections.abc import Mapping
from typing import cast
from weakref import WeakKeyDictionary

from answerable.model.documents.baseline import BaselineItem, BaselineReplayItem
from answerable.model.ids import AgentId
from answerable.presentation.command_hints import command
from answerable.server.advisory import shared_uid
from answerable.services.baseline import profiles as flow
from answerable.store.behaviour_queries import watched_since
from answerable.usecases.baseline import replay_calls
from answerable.usecases.baseline.list_profiles import listed
from answerable.web.routing import Answer, Asked, Forbidden, Moved, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

LAYERS: Mapping[str, str] = {
    "L1": "Tools that it calls",
    "L2": "What their arguments name",
    "L3": "From where values come",
    "L4": "Order and amount",
    "L5": "When, how fast and from where",
}
_MONTH = 30 * 86_400 * 10**9
_MOST = 20_000  # the newest calls, for learning and replay
_KEPT = 32  # replays
_SHOWN = 500  # entries of a layer, changes, calls held back

_Key = tuple[str, str, bytes]  # agent, digest, the store's log
_REPLAYED: WeakKeyDictionary[Desk, OrderedDict[_Key, BaselineReplayItem]] = (
    WeakKeyDictionary()
)


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """List the baselines that the visitor may see."""
    del asked
    items = [each for each in _all(desk) if visit.sees_deeds_of(each["agent"])]
    watched = () if desk.config is None else desk.config.agents
    held = {item["agent"] for item in items}
    values = {
        "items": items,
        "bare": [
            agent.id
            for agent in watched
            if agent.baseline is not None
            and agent.id not in held
            and visit.sees_deeds_of(agent.id)
        ],
        "command": command("baseline", "learn", "AGENT"),
    }
    return Page("baselines.html", "Baselines", values)


def one(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show an agent's baselines: the one in force, and the changes of the newest."""
    agent = asked.query.get("agent", "")
    if not agent or not visit.sees_deeds_of(agent):
        raise Forbidden
    items = [each for each in _all(desk) if each["agent"] == agent]
    digest = asked.query.get("digest", "")
    chosen = next((each for each in items if each["digest"] == digest), None)
    if chosen is None:
        if digest:
            raise Forbidden
        chosen = items[0] if items else None
    values: dict[str, object] = {
        "agent": agent,
        "items": items,
        "chosen": chosen,
        "own": visit.answers_for(agent),
        "advisory": shared_uid(desk.standing().inventory, agent, desk.config),
        "command": command("baseline", "learn", agent),
    }
    if chosen is not None:
        values |= _whole(desk, chosen)
    return Page("baseline.html", "Baseline", values)


def replay(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show the judgements of a profile on the calls of the last 30 days."""
    agent, digest = (asked.query.get(each, "") for each in ("agent", "digest"))
    items = [each for each in _all(desk) if each["agent"] == agent]
    known = any(each["digest"] == digest for each in items)
    if not known or not visit.sees_deeds_of(agent):
        raise Forbidden
    values = {
        "agent": agent,
        "digest": digest,
        "replay": replayed(desk, AgentId(agent), digest),
        "most": _MOST,
    }
    return Page("baseline_replay.html", "Replay", values)


def replayed(desk: Desk, agent: AgentId, digest: str) -> BaselineReplayItem:
    """Replay a profile, once per state of the store."""
    kept = _REPLAYED.setdefault(desk, OrderedDict())
    with desk.store() as store:
        key = (agent, digest, store.log.checkpoint())
        if key not in kept:
            since, now = desk.now - _MONTH, desk.now
            document = replay_calls.replay(
                store, agent, digest, since=since, now=now, most=_MOST
            )
            kept[key] = cast("BaselineReplayItem", document.items[0])
            while len(kept) > _KEPT:
                kept.popitem(last=False)
        return kept[key]


def learn(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Learn drafts from recorded calls; unsigned drafts enforce nothing."""
    agent, now = asked.form.get("agent", ""), desk.now
    if not visit.answers_for(agent):
        raise Forbidden
    with desk.store() as store:
        since = watched_since(store, AgentId(agent), most=_MOST)
        drafts = flow.learn(store, AgentId(agent), since=since, now=now)
    said = f"Learned {len(drafts.items)} drafts. They hold nothing until you sign one."
    return Moved(url("/baseline", agent=agent), said)


def _all(desk: Desk) -> list[BaselineItem]:
    with desk.store() as store:
        return cast("list[BaselineItem]", listed(store, now=desk.now).items)


def _whole(desk: Desk, chosen: BaselineItem) -> dict[str, object]:
    """Return a profile with the changes that signing it makes."""
    now, digest = desk.now, chosen["digest"]
    with desk.store() as store:
        shown = cast("BaselineItem", flow.show(store, digest, now=now).items[0])
        changes = flow.diff(store, "", digest, now=now).items
    entries = {
        layer: [each for each in shown["entries"] if each["layer"] == layer]
        for layer in LAYERS
    }
    return {
        "layers": [
            {
                "name": layer,
                "title": title,
                "entries": entries[layer][:_SHOWN],
                "more": max(len(entries[layer]) - _SHOWN, 0),
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
        "changes": changes[:_SHOWN],
        "changed": len(changes),
        "learned": shown,
    }


_DEEDS = frozenset({May.INVESTIGATE, May.OWN})
ROUTES: tuple[Route, ...] = (
    Route("/baselines", page, _DEEDS),
    Route("/baseline", one, _DEEDS, ("agent", "digest")),
    Route("/baseline/replay", replay, _DEEDS, ("agent", "digest")),
    Route("/baseline/learn", learn, frozenset({May.OWN}), ("agent",), "POST"),
)
