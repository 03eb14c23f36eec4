"""Search: partial names, ids, resources, suggestions, and what a visitor may not see."""

import re
from urllib.parse import unquote_plus

import pytest

from answerable.web.pages.search import search_names
from answerable.web.routing import DocumentAnswer, PageAnswer, Redirect
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults

INVESTIGATOR = visitor(WebRole.INVESTIGATOR)


def find(desk: StoreCache, text: str, who: Visitor = INVESTIGATOR) -> dict[str, str]:
    """Search, and return the pages by id."""
    return {e["id"]: e["page"] for e in search_names(desk, who, text).items}


def test_a_part_of_a_name_finds_things_of_every_kind(desk: StoreCache) -> None:
    items = search_names(desk, INVESTIGATOR, "report").items
    kinds = {each["kind"] for each in items}
    assert {"agent", "identity", "credential", "finding"} <= kinds
    page = shown(desk, INVESTIGATOR, "/search", q="report")
    assert markup_faults(page) == []
    for each in items:
        assert each["page"].partition("?")[0] in page


def test_an_exact_id_comes_first(desk: StoreCache) -> None:
    user = "arn:aws:iam::111122223333:user/report-bot"
    first = search_names(desk, INVESTIGATOR, user).items[0]
    assert (first["kind"], first["id"], first["match"]) == ("identity", user, "exact")


def test_an_event_is_found_by_its_id_only_by_those_who_may_see_it(
    desk: StoreCache, viewer: Visitor
) -> None:
    trace = answer(desk, INVESTIGATOR, "/api/v1/trace")
    assert isinstance(trace, DocumentAnswer)
    event = trace.document.items[0]["event_id"]
    assert find(desk, event) == {event: f"/event?id={event}"}
    assert find(desk, event, viewer) == {}
    assert find(desk, event, visitor(WebRole.OWNER)) == {}


def test_a_resource_is_found_as_uri(desk: StoreCache) -> None:
    resources = desk.current_view().inventory.facts.resources_by_id()
    bucket = next(each for each in resources if each.startswith("arn:aws:s3:::"))
    found = find(desk, f"s3://{bucket.removeprefix('arn:aws:s3:::')}")
    assert found[bucket].startswith("/show?id=")


def test_findings_are_found_only_by_investigators(
    desk: StoreCache, viewer: Visitor
) -> None:
    assert any(each.startswith("finding:") for each in find(desk, "report"))
    assert not any(each.startswith("finding:") for each in find(desk, "report", viewer))


def test_a_misspelled_name_is_answered_with_similar_ones(desk: StoreCache) -> None:
    result = search_names(desk, INVESTIGATOR, "raport-bot")
    assert {each["match"] for each in result.items} == {"similar"}
    assert any(each["id"].endswith("user/report-bot") for each in result.items)
    page = shown(desk, INVESTIGATOR, "/search", q="raport-bot")
    assert "Did you mean" in page
    assert "No collected name or id contains this text" in page
    assert "coverage:" in page


def test_a_query_with_fields_leads_to_the_investigation(
    desk: StoreCache, viewer: Visitor
) -> None:
    query = "agent:*reporter since:7d"
    moved = answer(desk, INVESTIGATOR, "/search", q=query)
    assert isinstance(moved, Redirect)
    assert moved.location.startswith("/trace?q=agent")
    assert isinstance(answer(desk, viewer, "/search", q=query), PageAnswer)


def test_completion_proposes_names_then_query_fields(desk: StoreCache) -> None:
    page = shown(desk, INVESTIGATOR, "/search/complete", q="report")
    assert "user/report-bot" in page
    assert "outcome:denied" in shown(
        desk, INVESTIGATOR, "/search/complete", q="outcome:d"
    )


@pytest.mark.parametrize("text", ["", *HOSTILE])
def test_searched_text_is_shown_as_text(
    desk: StoreCache, viewer: Visitor, text: str
) -> None:
    assert markup_faults(shown(desk, viewer, "/search", q=text)) == []
    assert markup_faults(shown(desk, INVESTIGATOR, "/search/complete", q=text)) == []


def test_saved_queries_are_pinned_for_those_who_may_see_them(
    desk: StoreCache, viewer: Visitor
) -> None:
    answer(
        desk, INVESTIGATOR, "/trace/saved", "POST", name="denied", q="outcome:denied"
    )
    page = shown(desk, INVESTIGATOR, "/search")
    assert markup_faults(page) == []
    assert '<a href="/trace?q=outcome%3Adenied">denied</a>' in page
    assert "outcome%3Adenied" not in shown(desk, viewer, "/search")
    answer(desk, INVESTIGATOR, "/trace/saved/delete", "POST", name="denied")
    assert "Pinned" not in shown(desk, INVESTIGATOR, "/search")


@pytest.mark.parametrize("below", ["s3://{}/customers/", "arn:aws:s3:::{}/*"])
def test_a_resource_that_only_logs_name_leads_to_its_events(
    desk: StoreCache, viewer: Visitor, below: str
) -> None:
    text = below.format("example-customer-data")
    page = shown(desk, INVESTIGATOR, "/search", q=text)
    assert markup_faults(page) == []
    links = re.findall(r'href="(/trace[?]q=resource[^"]*)">Events with this res', page)
    assert len(links) == 1
    query = unquote_plus(links[0].partition("q=")[2])
    trace = answer(desk, INVESTIGATOR, "/api/v1/trace", q=query)
    assert isinstance(trace, DocumentAnswer)
    assert trace.document.items
    assert "with this resource" not in shown(desk, viewer, "/search", q=text)


@pytest.mark.parametrize(
    "text", ["customers/", "s3://example-customer-data/customers/", "0038.PARQUET"]
)
def test_a_resource_that_only_logs_name_is_found(
    desk: StoreCache, viewer: Visitor, text: str
) -> None:
    scanned = desk.current_view().inventory.facts.resources_by_id()
    found = answer(desk, INVESTIGATOR, "/api/v1/search", q=text)
    assert isinstance(found, DocumentAnswer)
    logged = [
        each
        for each in found.document.items
        if each["kind"] == "resource" and each["id"] not in scanned
    ]
    assert logged
    page = shown(desk, INVESTIGATOR, "/search", q=text)
    assert "No collected name" not in page
    for each in logged:
        query = unquote_plus(each["page"].removeprefix("/trace?q="))
        trace = answer(desk, INVESTIGATOR, "/api/v1/trace", q=query)
        assert isinstance(trace, DocumentAnswer)
        assert trace.document.items
    for other in (viewer, visitor(WebRole.OWNER)):
        assert find(desk, text, other) == {}


def test_each_word_is_searched_in_a_resource(desk: StoreCache) -> None:
    found = find(desk, "customer example")
    assert any("example-customer-data" in each for each in found), found
    assert find(desk, "customer zzz") == {}


def test_a_misspelled_resource_is_answered_with_a_similar_one(desk: StoreCache) -> None:
    resources = desk.current_view().inventory.facts.resources_by_id()
    bucket = next(each for each in resources if each.startswith("arn:aws:s3:::"))
    name = bucket.removeprefix("arn:aws:s3:::")
    items = search_names(desk, INVESTIGATOR, f"{name[:-3]}x{name[-2:]}").items
    assert ("resource", bucket, "similar") in {
        (each["kind"], each["id"], each["match"]) for each in items
    }


def test_a_field_with_a_wrong_value_leads_to_what_is_wrong(desk: StoreCache) -> None:
    page = answer(desk, INVESTIGATOR, "/search", q="outcome:denid")
    assert isinstance(page, Redirect)
    html = shown(desk, INVESTIGATOR, "/trace", q="outcome:denid")
    assert "did you mean outcome:denied?" in html
