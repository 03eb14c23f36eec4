"""`/asks`: approval requests of agents, and the owners' answers."""

from answerable.model.documents.approval_requests import PolicyExceptionItem
from answerable.server.advisory import shared_uid
from answerable.services.authorization import approval_requests as flow
from answerable.services.authorization.approval_requests import STATES
from answerable.services.authorization.decision_records import read_spool
from answerable.services.authorization.value_provenance import describe_provenance
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.usecases.authorization import list_approval_requests
from answerable.usecases.authorization.explain_decision import show_decision
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.signing_actions import EXCEPTION_SPANS, find_approval_request
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

ROWS = 50
_SINCE = 7 * 86_400 * 10**9
_FILTERS = ("state", "agent")
_ORDER = {"open": 0}


def list_requests(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """List approval requests, open ones first, and exceptions."""
    now, query = desk.now, asked.query
    with desk.open_store() as store:
        document = list_approval_requests.list_approval_requests(
            store,
            desk.spools,
            now=now,
            since=now - _SINCE,
            state=query.get("state", ""),
            agent=query.get("agent", ""),
        )
        signed = list_approval_requests.list_policy_exceptions(store, now=now)
    items = [
        item for item in document.items if visit.can_see_activity_of(str(item["agent"]))
    ]
    items.sort(key=lambda item: _ORDER.get(str(item["state"]), 1))
    begin = _parse_number(query.get("from", ""))
    amendments = [
        item
        for item in signed.items
        if visit.can_see_activity_of(str(item["agent"]))
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
        "older": build_url("/asks", **kept, **{"from": begin + ROWS}) if more else "",
        "newer": build_url("/asks", **kept, **{"from": max(begin - ROWS, 0) or None})
        if begin
        else "",
        "unread": document.coverage["not_collected"],
    }
    return PageAnswer("asks.html", "Asks", values)


def show_request(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Show one approval request with the possible answers."""
    ask, now = find_approval_request(desk, visit, asked.query.get("id", "")), desk.now
    with desk.open_store() as store:
        said = read_policy_exceptions(store, now)
        newest = ask.newest.decision_id
        document = show_decision(store, desk.spools, newest, now=now)
        items = list_approval_requests.list_policy_exceptions(store, now=now).items
        facts = describe_provenance(store, read_spool(desk.spools), ask)
    wanted = ask.wanted
    about: list[PolicyExceptionItem] = [
        item  # type: ignore[misc]  # of that kind
        for item in items
        if (item["agent"], item["server"], item["target"], item["name"])
        == (wanted.agent, wanted.server, wanted.target.value, wanted.name)
    ]
    owner = said.owners.get(wanted.agent)
    values = {
        "ask": flow.build_ask_item(ask, said, now),
        "named": ask.named,
        "decision": document.items[0],
        "amendments": about,
        "owner": None if owner is None else owner.person,
        "own": visit.answers_for(wanted.agent),
        "advisory": shared_uid(
            desk.current_view().inventory, wanted.agent, desk.config
        ),
        "facts": facts.lines,
        "doubtful": facts.is_doubtful,
        "spans": tuple(
            s for s in EXCEPTION_SPANS if EXCEPTION_SPANS[s] or not facts.is_doubtful
        ),
        "unread": document.coverage["not_collected"],
    }
    return PageAnswer("ask.html", "Ask", values)


def _parse_number(text: str) -> int:
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


_ACTIVITY = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})
ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/asks", list_requests, _ACTIVITY, (*_FILTERS, "from")),
    WebRoute("/ask", show_request, _ACTIVITY, ("id",)),
)
