"""Counts over time are a document; a span of them is a narrower question."""

from itertools import pairwise
from urllib.parse import parse_qs, urlsplit

import pytest

from answerable.lineage.search_query import parse_search_query
from answerable.model.errors import UsageError
from answerable.web.routing import DocumentAnswer, Redirect
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, visitor


def counted(desk: StoreCache, visit: Visitor, q: str = "") -> list[dict[str, int]]:
    told = answer(desk, visit, "/trace/times", q=q)
    assert isinstance(told, DocumentAnswer)
    return [dict(item) for item in told.document.items]


def test_every_event_is_counted_in_one_of_at_most_sixty_equal_spans(
    desk: StoreCache, admin: Visitor
) -> None:
    found = counted(desk, admin)
    assert 1 < len(found) <= 60
    gaps = {b["at"] - a["at"] for a, b in pairwise(found)}
    assert len(gaps) == 1
    assert sum(sum(item.values()) - item["at"] for item in found) == 216


def test_a_question_counts_what_it_finds(desk: StoreCache, admin: Visitor) -> None:
    denied = counted(desk, admin, "outcome:denied")
    assert all(set(item) == {"at", "denied"} for item in denied)
    assert counted(desk, admin, "resource:nothing-like-it") == []


def test_who_owns_nothing_is_told_of_nothing(desk: StoreCache) -> None:
    assert counted(desk, visitor(WebRole.OWNER)) == []


def test_a_span_goes_on_to_the_narrower_question(
    desk: StoreCache, admin: Visitor
) -> None:
    q = "outcome:denied since:7d"
    answered = answer(
        desk, admin, "/trace/span", q=q, since="1795000000", until="1795003600"
    )
    assert isinstance(answered, Redirect)
    parts = urlsplit(answered.location)
    (asked,) = parse_qs(parts.query)["q"]
    assert parts.path == "/trace"
    query = parse_search_query(asked)
    assert query.get_field_value("outcome") == "denied"
    assert query.get_field_value("since").startswith("2026-11-18T")
    assert query.get_field_value("until") > query.get_field_value("since")


@pytest.mark.parametrize("said", ["", "x", "-1", "1e9", "٣", "9" * 30])
def test_what_is_no_time_is_refused(
    desk: StoreCache, admin: Visitor, said: str
) -> None:
    with pytest.raises(UsageError, match="invalid time"):
        answer(desk, admin, "/trace/span", q="", since=said, until="5")
