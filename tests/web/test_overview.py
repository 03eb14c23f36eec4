"""The overview: numbers that are those of the lists, and nothing of deeds for a viewer."""

import html
import re
from collections.abc import Iterator
from urllib.parse import parse_qsl, urlsplit

import pytest

from answerable.store.store import EvidenceStore
from answerable.web.pages import inventory_list_definitions
from answerable.web.route_table import ROUTES
from answerable.web.routing import PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import markup_faults


def links(page: str) -> list[str]:
    main = page.partition("<main")[2].partition("</main")[0]
    return [html.unescape(to) for to in re.findall(r'href="(/[^"]*)"', main)]


def test_each_figure_is_that_of_the_list_it_leads_to(
    desk: StoreCache, viewer: Visitor
) -> None:
    page = shown(desk, viewer, "/")
    assert markup_faults(page) == []
    figures = re.findall(
        r'<li><a href="(/(?:agents|identities|credentials|tools)[^"]*)">[^<]*</a> '
        r"<span>([\d,]+)</span>",
        page,
    )
    assert len(figures) >= 7
    for to, count in figures:
        parts = urlsplit(html.unescape(to))
        made = answer(desk, viewer, parts.path, **dict(parse_qsl(parts.query)))
        assert isinstance(made, PageAnswer)
        assert made.values["total"] == int(count.replace(",", "")), to


def test_every_link_leads_to_a_route_that_takes_it(
    desk: StoreCache, admin: Visitor
) -> None:
    takes = {
        route.path: set(route.parameters) for route in ROUTES if route.method == "GET"
    }
    for to in links(shown(desk, admin, "/")):
        parts = urlsplit(to)
        if parts.path.startswith("/assets/"):
            continue
        assert parts.path in takes, to
        assert {name for name, _ in parse_qsl(parts.query)} <= takes[parts.path], to


def test_a_viewer_sees_nothing_of_deeds(desk: StoreCache, viewer: Visitor) -> None:
    page = shown(desk, viewer, "/")
    assert "Decisions of the last day" not in page
    assert "Open asks" not in page
    assert "Activity is not shown" in page
    assert "/decision" not in page
    seen = shown(desk, visitor(WebRole.INVESTIGATOR), "/")
    assert "Decisions of the last day" in seen
    assert "of yours" in shown(desk, visitor(WebRole.OWNER), "/")


def test_what_needs_a_person_stands_in_front(desk: StoreCache, viewer: Visitor) -> None:
    said = shown(desk, viewer, "/")
    unowned = [
        key
        for key, item in inventory_list_definitions.agents(desk).by_key.items()
        if item["owner"]["state"] == "none"
    ]
    assert unowned
    assert all(html.escape(key) in said for key in unowned)
    # The key of report-bot lies in a file, and report-bot may make itself a role.
    assert "static key" in said
    assert "has access to everything" in said


@pytest.fixture(scope="module")
def nothing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StoreCache]:
    place = tmp_path_factory.mktemp("nothing") / "store"
    EvidenceStore.open(place, now=1).close()
    desk = StoreCache(place)
    yield desk
    desk.close()


def test_an_empty_store_says_what_would_fill_it(nothing: StoreCache) -> None:
    for roles in ((WebRole.VIEWER,), (WebRole.ADMIN, WebRole.OWNER)):
        page = shown(nothing, visitor(*roles), "/")
        assert "answerable scan" in page
        assert "answerable ingest" in page
        assert markup_faults(page) == []
