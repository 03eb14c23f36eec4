"""`/tools/diff`: show unapproved changes of tool definitions, field by field."""

from answerable.usecases.authorization import tool_pins as flow
from answerable.web.pin_approval import get_gateway_pin_files, may_approve_definitions
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor

_MAX_ITEMS = 200  # items


def show_pin_diff(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show definitions that changed, are new, or resemble another tool."""
    files, server = get_gateway_pin_files(cache), request.query.get("server", "")
    every = request.query.get("all", "") == "yes"
    known = {name: files.read_pins(name) for name in files.list_servers()}
    if server and server not in known:
        raise Forbidden
    with cache.open_store() as store:
        words = flow.read_signed_approvals(store, cache.now)
    document = flow.show_definition_differences(
        known, [server] if server else known, words, include_unchanged=every
    )
    servers = [server] if server else list(known)
    values = {
        "items": document.items[:_MAX_ITEMS],
        "total": len(document.items),
        "servers": list(known),
        "server": server,
        "every": every,
        "approves": {
            each for each in servers if may_approve_definitions(cache, visitor, each)
        },
        "unseen": document.coverage["not_collected"],
    }
    return PageAnswer("pins.html", "What servers say", values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/tools/diff", show_pin_diff, parameters=("server", "all")),
)
