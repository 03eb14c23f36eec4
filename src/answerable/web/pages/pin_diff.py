"""`/tools/diff`: unapproved changes of tool definitions, field by field."""

from answerable.usecases.authorization import tool_pins as flow
from answerable.web.pin_approval import may_approve, pin_files
from answerable.web.routing import Answer, Asked, Forbidden, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.visitor import Visit

_SHOWN = 200  # items


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show definitions that changed, wait for approval, or shadow another."""
    files, server = pin_files(desk), asked.query.get("server", "")
    every = asked.query.get("all", "") == "yes"
    known = {name: files.read(name) for name in files.servers()}
    if server and server not in known:
        raise Forbidden
    with desk.store() as store:
        words = flow.signed(store)
    document = flow.diff(known, [server] if server else known, words, every=every)
    servers = [server] if server else list(known)
    values = {
        "items": document.items[:_SHOWN],
        "total": len(document.items),
        "servers": list(known),
        "server": server,
        "every": every,
        "approves": {each for each in servers if may_approve(desk, visit, each)},
        "unseen": document.coverage["not_collected"],
    }
    return Page("pins.html", "What servers say", values)


ROUTES: tuple[Route, ...] = (Route("/tools/diff", page, takes=("server", "all")),)
