"""`/asks`: approval requests of agents, and the owners' answers."""

from answerable.model.documents.approval_requests import AmendmentItem
from answerable.server.advisory import shared_uid
from answerable.services.authorization import approval_requests as flow
from answerable.services.authorization.approval_requests import STATES
from answerable.services.authorization.decision_items import decision
from answerable.services.authorization.decision_records import spooled
from answerable.services.authorization.value_provenance import provenance
from answerable.services.statements.policy_exceptions import held
from answerable.web.routing import Answer, Asked, Page, Route
from answerable.web.signing_actions import SPANS, find_ask
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import May, Visit

ROWS = 50
_SINCE = 7 * 86_400 * 10**9
_FILTERS = ("state", "agent")
_ORDER = {"open": 0}


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """List approval requests, open ones first, and exceptions."""
    now, query = desk.now, asked.query
    with desk.store() as store:
        document = flow.asks(
            store,
            desk.spools,
            now=now,
            since=now - _SINCE,
            state=query.get("state", ""),
            agent=query.get("agent", ""),
        )
        signed = flow.amendments(store, now=now)
    items = [item for item in document.items if visit.sees_deeds_of(str(item["agent"]))]
    items.sort(key=lambda item: _ORDER.get(str(item["state"]), 1))
    begin = _number(query.get("from", ""))
    amendments = [
        item
        for item in signed.items
        if visit.sees_deeds_of(str(item["agent"]))
        and query.get("agent", "") in ("", item["agent"])
    ]
    kept = {name: query[name] for name in _FILTERS if name in query}
    more = begin + ROWS < len(items)
    values = {
        "items": items[begin : begin + ROWS],
        "total": len(items),
        "amendments": amendments[:ROWS],
        "signed": len(amendments),
        "query": {name: query.get(name, "") for name in _FILTERS},
        "states": STATES,
        "older": url("/asks", **kept, **{"from": begin + ROWS}) if more else "",
        "newer": url("/asks", **kept, **{"from": max(begin - ROWS, 0) or None})
        if begin
        else "",
        "unread": document.coverage["not_collected"],
    }
    return Page("asks.html", "Asks", values)


def one(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show one approval request with the possible answers."""
    ask, now = find_ask(desk, visit, asked.query.get("id", "")), desk.now
    with desk.store() as store:
        said = held(store, now)
        newest = ask.newest.decision_id
        document = decision(store, desk.spools, newest, now=now)
        items = flow.amendments(store, now=now).items
        facts = provenance(store, spooled(desk.spools), ask)
    wanted = ask.wanted
    about: list[AmendmentItem] = [
        item  # type: ignore[misc]  # of that kind
        for item in items
        if (item["agent"], item["server"], item["target"], item["name"])
        == (wanted.agent, wanted.server, wanted.target.value, wanted.name)
    ]
    owner = said.owners.get(wanted.agent)
    values = {
        "ask": flow.item(ask, said, now),
        "named": ask.named,
        "decision": document.items[0],
        "amendments": about,
        "owner": None if owner is None else owner.person,
        "own": visit.answers_for(wanted.agent),
        "advisory": shared_uid(desk.standing().inventory, wanted.agent, desk.config),
        "facts": facts.lines,
        "doubtful": facts.is_doubtful,
        "spans": tuple(s for s in SPANS if SPANS[s] or not facts.is_doubtful),
        "unread": document.coverage["not_collected"],
    }
    return Page("ask.html", "Ask", values)


def _number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


_DEEDS = frozenset({May.INVESTIGATE, May.OWN})
ROUTES: tuple[Route, ...] = (
    Route("/asks", page, _DEEDS, (*_FILTERS, "from")),
    Route("/ask", one, _DEEDS, ("id",)),
)
