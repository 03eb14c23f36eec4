"""What an owner sees of what was done: that of their own agents, route by route."""

import json
from typing import Any

import pytest

from answerable.web.route_table import ROUTES
from answerable.web.routing import FileDownload, Forbidden, PageAnswer, RouteRequest
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer

INVESTIGATOR = Visitor(None, frozenset({WebRole.INVESTIGATOR}))


def rows(desk: StoreCache, visit: Visitor) -> list[dict[str, Any]]:
    told = answer(desk, visit, "/trace/export", form="json")
    assert isinstance(told, FileDownload)
    found: list[dict[str, Any]] = json.loads(told.body)["items"]
    return found


@pytest.fixture(scope="module")
def every(desk: StoreCache) -> list[dict[str, Any]]:
    return rows(desk, INVESTIGATOR)


@pytest.fixture(scope="module")
def agents(every: list[dict[str, Any]]) -> list[str]:
    return sorted({agent for row in every for agent in row["agent_path"]})


def owner(*owns: str) -> Visitor:
    return Visitor(None, frozenset({WebRole.OWNER}), frozenset(owns))


def is_told(desk: StoreCache, visit: Visitor, path: str, id: str) -> bool:
    try:
        told = answer(desk, visit, path, id=id)
    except Forbidden:
        return False
    assert isinstance(told, PageAnswer | FileDownload)
    return not isinstance(told, PageAnswer) or told.status == 200


def test_an_owner_of_nothing_sees_nothing_that_was_done(
    desk: StoreCache, every: list[dict[str, Any]]
) -> None:
    assert every
    assert rows(desk, owner()) == []
    for path in ("/event", "/proof", "/proof/bundle"):
        for row in (every[0], every[-1]):
            assert not is_told(desk, owner(), path, row["event_id"])


def test_an_owner_sees_what_their_own_agents_did_and_no_others(
    desk: StoreCache, every: list[dict[str, Any]], agents: list[str]
) -> None:
    assert len(agents) > 1
    for agent in agents:
        visit = owner(agent)
        own = {row["event_id"] for row in every if agent in row["agent_path"]}
        assert {row["event_id"] for row in rows(desk, visit)} == own
        others = [row["event_id"] for row in every if row["event_id"] not in own]
        for path in ("/event", "/proof", "/proof/bundle"):
            assert is_told(desk, visit, path, next(iter(own))), path
            for id in others[:3]:
                assert not is_told(desk, visit, path, id), path


def test_no_page_of_deeds_names_an_event_of_another_agent(
    desk: StoreCache, every: list[dict[str, Any]], agents: list[str]
) -> None:
    from answerable.web.template_rendering import render_page

    visit = owner(agents[0])
    others = {r["event_id"] for r in every if agents[0] not in r["agent_path"]}
    for route in ROUTES:
        if route.method == "POST" or visit.may.isdisjoint(route.permissions):
            continue
        try:
            told = route.handler(desk, visit, RouteRequest(url=route.path))
        except Exception:  # noqa: BLE001, S112 - it wants parameters
            continue
        if isinstance(told, PageAnswer):
            shown = render_page(told, visit, RouteRequest(url=route.path))
            assert not [id for id in others if id in shown], route.path
