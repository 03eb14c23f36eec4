"""Totals of answers that are given in parts: counted once for all parts of one question."""

import pytest

from answerable.web.api import activity
from answerable.web.result_cache import ResultCache
from answerable.web.routing import DocumentAnswer
from answerable.web.visitor import WebRole
from tests.web.conftest import ANA, answer, visitor


def test_a_total_is_counted_once_and_the_oldest_is_dropped() -> None:
    cache, made = ResultCache[int](), list[int]()

    def count_of(number: int) -> int:
        return cache.get(("a", number), lambda: made.append(number) or number)

    assert [count_of(1), count_of(1), count_of(2)] == [1, 1, 2]
    assert made == [1, 2]
    for number in range(3, 67):
        count_of(number)
    count_of(1)
    assert made[-1] == 1


def test_who_pages_through_a_trace_has_it_counted_once(
    desk, admin, monkeypatch: pytest.MonkeyPatch
) -> None:
    counted: list[object] = []
    count = activity.count_events_matching
    monkeypatch.setattr(
        activity,
        "count_events_matching",
        lambda *words: counted.append(words) or count(*words),
    )
    after, totals = {}, set()
    for limit in ("5", "7", "5"):
        got = answer(desk, admin, "/api/v1/trace", q="tmp-export", limit=limit, **after)
        assert isinstance(got, DocumentAnswer)
        totals.add(got.document.total)
        after = {"after": got.after}
    assert totals == {84}
    assert len(counted) <= 2  # twice where a minute began meanwhile
    owner = visitor(WebRole.OWNER, person=ANA, owns=("agent:nobody/s",))
    hidden = answer(desk, owner, "/api/v1/trace", q="tmp-export", limit="5", **after)
    assert isinstance(hidden, DocumentAnswer)
    assert hidden.document.total == 0
