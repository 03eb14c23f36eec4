"""The list of findings and the page of one show what the command lists."""

import json
from typing import Any

import pytest

from answerable.model.errors import UsageError
from answerable.usecases.posture.list_findings import list_findings
from answerable.web.http.errors import RequestRejected
from answerable.web.pages.finding_trend import get_finding_trend, read_ages
from answerable.web.routing import FileDownload
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults


@pytest.fixture
def investigator() -> Visitor:
    return visitor(WebRole.INVESTIGATOR)


@pytest.fixture(scope="module")
def items(desk: StoreCache) -> list[dict[str, Any]]:
    found = answer(desk, visitor(WebRole.INVESTIGATOR), "/findings", **{"as": "json"})
    assert isinstance(found, FileDownload)
    listed: list[dict[str, Any]] = json.loads(found.body)["items"]
    return listed


def test_the_page_lists_what_the_command_lists_gravest_first(
    desk: StoreCache, items: list[dict[str, Any]]
) -> None:
    view = desk.current_view()
    with desk.open_store() as store:
        command = list_findings(store, view.inventory, now=view.at)
        listed = json.loads(json.dumps(list(command.items)))
    assert items == listed
    assert {each["state"] for each in items} >= {"open", "not-evaluated"}


def test_the_list_page_links_each_finding(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    page = shown(desk, investigator, "/findings")
    assert markup_faults(page) == []
    assert page.count('href="/finding?id=') >= min(50, len(items))
    assert "coverage:" in page


def test_each_finding_has_a_page_with_its_repair(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    for item in items:
        page = shown(desk, investigator, "/finding", id=item["id"])
        assert markup_faults(page) == []
        assert item["rule"] in page
        for each in item["missing"]:
            assert "Missing data" in page
            assert each["source"] in page
        if item["state"] == "open":
            assert "Repair" in page
            assert "Evidence" in page


def test_a_finding_whose_use_is_not_known_says_so(
    desk: StoreCache, investigator: Visitor, items: list[dict[str, Any]]
) -> None:
    unknown = [e for e in items if e["breaks"] == "not-known" and e["state"] == "open"]
    assert unknown
    page = shown(desk, investigator, "/finding", id=unknown[0]["id"])
    assert "not known: no log covers it" in page


@pytest.mark.parametrize("text", HOSTILE)
def test_what_is_asked_for_comes_back_as_text(
    desk: StoreCache, investigator: Visitor, text: str
) -> None:
    assert markup_faults(shown(desk, investigator, "/findings", q=text)) == []
    with pytest.raises(RequestRejected):
        shown(desk, investigator, "/finding", id=text)
    with pytest.raises(UsageError):
        shown(desk, investigator, "/findings", sort=text)


def test_a_row_of_the_list_leads_to_its_decision(
    desk: StoreCache, investigator: Visitor, admin: Visitor
) -> None:
    page = shown(desk, admin, "/findings", state="open")
    assert markup_faults(page) == []
    assert '#review">accept</a>' in page
    assert '#review">assign</a>' in page
    assert "#review" not in shown(desk, admin, "/findings", state="not-evaluated")
    assert "#review" not in shown(desk, investigator, "/findings")  # cannot sign


def test_a_finding_has_the_age_of_the_first_scan_with_it(
    desk: StoreCache, investigator: Visitor
) -> None:
    get_finding_trend(desk)
    page = shown(desk, investigator, "/findings", state="open")
    assert '<th scope="col" class="p4">since</th>' in page
    # There is one scan: older ones may have had it.
    assert page.count("<small>or before</small>") == page.count('<tr><th scope="row">')
    ages = read_ages(desk)
    assert {age.is_oldest for age in ages.values()} == {True}
    (begin,) = {age.since for age in ages.values()}
    assert begin.endswith("Z")
    # A rule without data has no age, rather than a young one.
    assert "or before" not in shown(
        desk, investigator, "/findings", state="not-evaluated"
    )
