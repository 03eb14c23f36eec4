"""`/asks`: list approval requests of agents and show the decisions of owners."""

from answerable.model.documents.approval_requests import PolicyExceptionItem
from answerable.server.shared_user_check import check_shared_user
from answerable.services.authorization import approval_requests as flow
from answerable.services.authorization.approval_requests import STATES
from answerable.services.authorization.decision_records import read_spool
from answerable.services.authorization.value_provenance import (
    describe_argument_provenance,
)
from answerable.services.statements.policy_exceptions import read_policy_exceptions
from answerable.usecases.authorization import list_approval_requests
from answerable.usecases.authorization.explain_decision import show_decision
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS
from answerable.web.paged_list import require_declared_value
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.signable_actions import (
    EXCEPTION_SPANS,
    find_approval_request,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

ROWS = 50
_SINCE = 7 * 86_400 * 10**9
_FILTERS = ("state", "agent")
_OPEN = "open"


def list_requests(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """List the approval requests of seven days, and signed exceptions.

    Open requests come first, and of these the ones that the visitor may answer.
    """
    now, query = cache.now, request.query
    require_declared_value("state", query.get("state", ""), STATES)
    with cache.open_store() as store:
        document = list_approval_requests.list_approval_requests(
            store,
            cache.spools,
            now=now,
            since=now - _SINCE,
            state=query.get("state", ""),
            agent=query.get("agent", ""),
        )
        signed = list_approval_requests.list_policy_exceptions(store, now=now)
    items = [
        item
        for item in document.items
        if visitor.can_see_activity_of(str(item["agent"]))
    ]
    own = {item["agent"] for item in items if visitor.answers_for(str(item["agent"]))}
    items.sort(key=lambda item: (item["state"] != _OPEN, item["agent"] not in own))
    start = _parse_offset(query.get("from", ""))
    amendments = [
        item
        for item in signed.items
        if visitor.can_see_activity_of(str(item["agent"]))
        and query.get("agent", "") in ("", item["agent"])
    ]
    filters = {name: query[name] for name in _FILTERS if name in query}
    more = start + ROWS < len(items)
    values = {
        "items": items[start : start + ROWS],
        "total": len(items),
        "amendments": amendments[:ROWS],
        "signed": len(amendments),
        "query": {name: query.get(name, "") for name in _FILTERS},
        "states": STATES,
        "older": build_url("/asks", **filters, **{"from": start + ROWS})
        if more
        else "",
        "newer": build_url("/asks", **filters, **{"from": max(start - ROWS, 0) or None})
        if start
        else "",
        "unread": document.coverage["not_collected"],
    }
    return PageAnswer("asks.html", "Approval requests", values)


def show_request(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one approval request with the possible answers."""
    ask, now = (
        find_approval_request(cache, visitor, request.query.get("id", "")),
        cache.now,
    )
    with cache.open_store() as store:
        exceptions = read_policy_exceptions(store, now)
        newest = ask.newest.decision_id
        document = show_decision(store, cache.spools, newest, now=now)
        items = list_approval_requests.list_policy_exceptions(store, now=now).items
        facts = describe_argument_provenance(store, read_spool(cache.spools), ask)
    wanted = ask.scope
    matching: list[PolicyExceptionItem] = [
        item  # type: ignore[misc]  # items of this kind
        for item in items
        if (item["agent"], item["server"], item["target"], item["name"])
        == (wanted.agent, wanted.server, wanted.target.value, wanted.name)
    ]
    owner = exceptions.owners.get(wanted.agent)
    values = {
        "ask": flow.build_approval_request_item(ask, exceptions, now),
        "named": ask.decision_id,
        "decision": document.items[0],
        "amendments": matching,
        "owner": None if owner is None else owner.person,
        "own": visitor.answers_for(wanted.agent),
        "advisory": check_shared_user(
            cache.current_view().inventory, wanted.agent, cache.config
        ),
        "facts": facts.lines,
        "doubtful": facts.is_doubtful,
        "spans": tuple(
            s for s in EXCEPTION_SPANS if EXCEPTION_SPANS[s] or not facts.is_doubtful
        ),
        "unread": document.coverage["not_collected"],
    }
    return PageAnswer("ask.html", "Ask", values)


def _parse_offset(text: str) -> int:
    """Parse a row offset; 0 if it is not a number."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < 7 else 0


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/asks", list_requests, ACTIVITY_PERMISSIONS, (*_FILTERS, "from")),
    WebRoute("/ask", show_request, ACTIVITY_PERMISSIONS, ("id",)),
)
