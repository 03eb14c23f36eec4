"""Who may ask for what: every route of the table, by every role, and by nobody.

A route that is not in `WHO` has no decision yet, and fails here: decide who may ask for
it, in the route and in this table.
"""

from dataclasses import replace
from itertools import combinations

import pytest

from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.routing import Redirect, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission, WebRole, permissions_of_roles
from tests.web.dispatcher_harness import FORM, URL, DispatcherHarness, HarnessResponse

LOOK = frozenset({WebPermission.LOOK})
DEEDS = frozenset({WebPermission.INVESTIGATE, WebPermission.OWN})
INVESTIGATE = frozenset({WebPermission.INVESTIGATE})
OWN = frozenset({WebPermission.OWN})
ADMINISTER = frozenset({WebPermission.ADMINISTER})
OWN_OR_ADMINISTER = OWN | ADMINISTER

# What there is; what was done; what is one's own; what takes away or gives.
WHO: dict[frozenset[WebPermission], tuple[str, ...]] = {
    LOOK: (
        "GET /",
        "GET /agents",
        "GET /identities",
        "GET /credentials",
        "GET /tools",
        "GET /tools/diff",
        "GET /people",
        "GET /agent",
        "GET /identity",
        "GET /credential",
        "GET /person",
        "GET /show",
        "GET /reach",
        "GET /reach/all",
        "GET /reach/graph",
        "GET /reach/complete",
        "GET /can",
        "GET /who-can",
        "GET /what-if",
        "GET /api/v1/openapi.json",
        "GET /api/v1/agents",
        "GET /api/v1/identities",
        "GET /api/v1/credentials",
        "GET /api/v1/tools",
        "GET /api/v1/people",
        "GET /api/v1/people/merges",
        "GET /api/v1/who-owns",
        "GET /api/v1/show",
        "GET /api/v1/tools/diff",
        "GET /api/v1/snapshots",
        "GET /api/v1/coverage",
        "GET /api/v1/reach",
        "GET /api/v1/can",
        "GET /api/v1/who-can",
        "GET /api/v1/reach/all",
        "GET /api/v1/what-if",
        "GET /api/v1/owner-keys",
        "GET /api/v1/overview",
        "GET /api/v1/search",
        "GET /search",
        "GET /changes",
        "GET /api/v1/changes",
        "GET /search/complete",
        "GET /updates",
    ),
    DEEDS: (
        "GET /trace",
        "GET /trace/export",
        "GET /trace/complete",
        "GET /trace/hops",
        "GET /trace/chains",
        "GET /api/v1/trace/chains",
        "GET /api/v1/trace/facets",
        "GET /trace/times",
        "GET /trace/span",
        "GET /event",
        "GET /decision",
        "GET /decisions",
        "GET /live",
        "GET /baselines",
        "GET /baseline",
        "GET /baseline/replay",
        "GET /asks",
        "GET /ask",
        "GET /evidence",
        "GET /evidence/checkpoint",
        "GET /evidence/key",
        "GET /proof",
        "GET /proof/bundle",
        "GET /api/v1/trace",
        "GET /api/v1/event",
        "GET /api/v1/decision",
        "GET /api/v1/decisions",
        "GET /api/v1/asks",
        "GET /api/v1/ask",
        "GET /api/v1/amendments",
        "GET /api/v1/requests",
        "GET /api/v1/baselines",
        "GET /api/v1/baseline",
        "GET /api/v1/baseline/diff",
        "GET /api/v1/baseline/replay",
        "GET /api/v1/baseline/check",
        "GET /api/v1/evidence/checkpoint",
        "GET /api/v1/evidence/prove",
        "GET /api/v1/evidence/bundle",
        "POST /api/v1/evidence/bundle/verify",
        "POST /evidence/bundle",
    ),
    INVESTIGATE: (
        "GET /what-if/cuts",
        "GET /findings",
        "GET /finding",
        "GET /api/v1/findings",
        "GET /findings/trend",
        "GET /api/v1/findings/trend",
        "GET /api/v1/what-if/cuts",
        "GET /trace/compare",
        "GET /trace/saved",
        "POST /trace/saved",
        "POST /trace/saved/delete",
        "GET /cases",
        "POST /cases",
        "GET /case",
        "GET /case/bundle",
        "GET /case/page",
        "POST /case/add",
        "POST /case/note",
        "POST /case/assign",
        "POST /case/close",
        "GET /api/v1/cases",
        "POST /api/v1/cases",
        "GET /api/v1/case",
        "GET /api/v1/case/bundle",
        "POST /api/v1/case/add",
        "POST /api/v1/case/note",
        "POST /api/v1/case/assign",
        "POST /api/v1/case/close",
        "POST /api/v1/trace/saved",
        "POST /api/v1/trace/saved/delete",
        "GET /api/v1/trace/first-seen",
        "GET /api/v1/trace/compare",
        "GET /api/v1/trace/by",
        "GET /api/v1/trace/saved",
        "GET /api/v1/trace/score",
        "GET /api/v1/trace/unmediated",
    ),
    INVESTIGATE | ADMINISTER: (
        "POST /evidence/verify",
        "GET /api/v1/evidence/verify",
        "POST /api/v1/evidence/verify",
    ),
    OWN: (
        "POST /baseline/learn",
        "GET /sign",
        "POST /sign",
        "POST /keys",
        "GET /api/v1/sign",
        "POST /api/v1/sign",
        "POST /owners/sign",
        "GET /api/v1/owners/sign",
        "POST /api/v1/owners/sign",
    ),
    DEEDS | ADMINISTER: (
        "GET /keys",
        "GET /owners",
        "POST /owners/ask",
        "POST /person/merge",
        "POST /person/split",
        "POST /api/v1/people/merge",
        "POST /api/v1/people/split",
        "POST /api/v1/owners/ask",
        "GET /api/v1/owners/requests",
    ),
    OWN_OR_ADMINISTER: (
        "GET /kill",
        "POST /keys/revoke",
        "POST /kill",
        "POST /api/v1/kill",
    ),
    ADMINISTER: (
        "POST /keys/enroll",
        "GET /kills",
        "POST /revive",
        "POST /api/v1/revive",
        "GET /api/v1/sql",
        "GET /api/v1/doctor",
        "GET /api/v1/where",
        "GET /api/v1/sts/rules",
        "GET /api/v1/kills",
    ),
}


def listed() -> dict[tuple[str, str], frozenset[WebPermission]]:
    found: dict[tuple[str, str], frozenset[WebPermission]] = {}
    for may, routes in WHO.items():
        for each in routes:
            method, _, path = each.partition(" ")
            assert (method, path) not in found, each
            found[method, path] = may
    return found


def in_table() -> dict[tuple[str, str], frozenset[WebPermission]]:
    streams = {("GET", each.path): each.permissions for each in STREAMS}
    return {(each.method, each.path): each.permissions for each in ROUTES} | streams


def test_every_route_has_a_decision_and_no_other() -> None:
    assert in_table() == listed()


def test_no_route_stands_twice() -> None:
    keys = [(each.method, each.path) for each in (*ROUTES,)]
    assert len(keys) == len(set(keys))
    assert {each.path for each in STREAMS}.isdisjoint(path for _, path in keys)


def test_looking_is_never_enough_to_change_anything() -> None:
    for (method, path), may in in_table().items():
        assert may, path
        if method == "POST":
            assert WebPermission.LOOK not in may, path


def stub(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    return Redirect("/reached")


VISITORS = [
    *((role,) for role in WebRole),
    *combinations(WebRole, 2),
    (),
]


@pytest.fixture
def stage(desk: StoreCache) -> DispatcherHarness:
    return DispatcherHarness(
        desk, tuple(replace(each, handler=stub) for each in ROUTES), ()
    )


def ask(
    stage: DispatcherHarness, route: WebRoute, cookie: str, token: str
) -> HarnessResponse:
    fields = {"content-type": FORM, "origin": URL, "x-csrf-token": token}
    if route.method == "GET":
        fields = {}
    return stage.ask(route.method, route.path, fields, cookie=cookie)


@pytest.mark.parametrize("roles", VISITORS, ids=lambda roles: "+".join(roles) or "none")
def test_a_visitor_reaches_what_their_roles_let_them_and_nothing_else(
    stage: DispatcherHarness, roles: tuple[WebRole, ...]
) -> None:
    cookie, session = stage.signed_in(*roles)
    for route in stage.routes:
        answer = ask(stage, route, cookie, session.csrf_token())
        allowed = not permissions_of_roles(roles).isdisjoint(route.permissions)
        reached = answer.fields.get("location") == "/reached"
        assert reached is allowed, (route.method, route.path)
        assert answer.status == (303 if allowed else 404), (route.method, route.path)


def test_nobody_reaches_anything(stage: DispatcherHarness) -> None:
    for route in stage.routes:
        answer = ask(stage, route, "", "")
        if route.path.startswith("/api/"):
            assert answer.status == 401, route.path
        else:
            if route.labels:  # a form whose values must not be lost
                assert answer.status == 401, route.path
                continue
            assert answer.status == 303, route.path
            assert answer.fields["location"].startswith("/sign-in"), route.path


def test_every_post_needs_the_token_of_its_session(stage: DispatcherHarness) -> None:
    cookie, session = stage.signed_in(*WebRole)
    _, other = stage.signed_in(*WebRole)
    for route in stage.routes:
        if route.method != "POST":
            continue
        for token in ("", other.csrf_token()):
            assert ask(stage, route, cookie, token).status == 403, route.path
        fields = {"content-type": FORM, "origin": "https://evil.example"}
        fields |= {"x-csrf-token": session.csrf_token(), "sec-fetch-site": "cross-site"}
        answer = stage.ask("POST", route.path, fields, cookie=cookie)
        assert answer.status == 403, route.path


def test_the_other_method_of_a_route_is_refused(stage: DispatcherHarness) -> None:
    keys = {(each.method, each.path) for each in stage.routes}
    cookie, session = stage.signed_in(*WebRole)
    for route in stage.routes:
        other = replace(route, method="GET" if route.method == "POST" else "POST")
        if (other.method, other.path) not in keys:
            assert ask(stage, other, cookie, session.csrf_token()).status == 405, (
                route.path
            )
