"""Navigation: groups, counts of the lists, and only what a visitor may open."""

import re
from dataclasses import replace

from answerable.web.navigation import NAVIGATION, count_entries
from answerable.web.pages import findings, inventory_list_definitions
from answerable.web.route_table import ROUTES
from answerable.web.routing import PageAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.template_rendering import render_page
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, visitor
from tests.web.markup_checks import markup_faults


def navigation_of(desk: StoreCache, who: Visitor) -> str:
    """Render the agents page, and return its navigation."""
    page = answer(desk, who, "/agents")
    assert isinstance(page, PageAnswer)
    request = replace(RouteRequest(url="/agents"), counts=count_entries(desk, who))
    rendered = render_page(page, who, request)
    assert markup_faults(rendered) == []
    return rendered.partition("<nav id")[2].partition("</nav>")[0]


def test_every_entry_is_a_route_that_its_visitors_may_open() -> None:
    routes = {each.path: each for each in ROUTES if each.method == "GET"}
    for _, entries in NAVIGATION:
        for entry in entries:
            assert entry.permissions <= routes[entry.path].permissions, entry.path
            assert all(path in routes for path in entry.also)


def test_counts_are_those_of_the_lists(desk: StoreCache) -> None:
    agents = inventory_list_definitions.agents(desk)
    found = findings.findings(desk)
    who = visitor(WebRole.INVESTIGATOR)
    counts = count_entries(desk, who)
    assert counts["/agents"] == f"{len(agents.items):,}"
    assert counts["/findings"].removesuffix("+") == str(
        found.count_matching({"state": "open"})
    )
    drawn = navigation_of(desk, who)
    assert f"Agents</a> <small>{len(agents.items)}</small>" in drawn
    assert all(f">{g}</span>" in drawn for g in ("Know", "Investigate", "Decide"))


def test_a_viewer_sees_no_entry_or_count_of_findings_and_activity(
    desk: StoreCache, viewer: Visitor
) -> None:
    findings.findings(desk)
    assert "/findings" not in count_entries(desk, viewer)
    linked = re.findall(r'href="(/[^"]*)"', navigation_of(desk, viewer))
    assert linked == [
        *("/", "/agents", "/identities", "/credentials", "/tools", "/people"),
        *("/changes", "/reach"),
    ]


def test_a_list_that_is_not_built_has_no_count(desk: StoreCache) -> None:
    new = StoreCache(desk.root)
    try:
        assert count_entries(new, visitor(WebRole.INVESTIGATOR)) == {}
    finally:
        new.close()
