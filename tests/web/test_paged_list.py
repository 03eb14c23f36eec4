"""A list neither repeats nor omits a row, however it is ordered and paged."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.errors import UsageError
from answerable.web.paged_list import ListDefinition, ListFacet, ListQuery, PagedList
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor
from tests.web.conftest import answer

Row = tuple[str, int, str]
SHAPE: ListDefinition[Row] = ListDefinition(
    key=lambda row: row[0],
    facets=(ListFacet("kind", "kind", lambda row: row[2]),),
    orders={"name": lambda row: row[0], "size": lambda row: row[1]},
    words=lambda row: (row[0], row[2]),
)
FEW = settings(max_examples=40)
ROWS = st.lists(
    st.tuples(st.text(max_size=3), st.integers(0, 3), st.sampled_from("ab")),
    unique_by=lambda row: row[0],
    max_size=30,
)
ORDERS = st.sampled_from(["", "name", "-name", "size", "-size"])


def walked(listing: PagedList[Row], order: str, rows: int, **more: object) -> list[Row]:
    found: list[Row] = []
    after = ""
    while True:
        page = listing.get_page(ListQuery(order=order, after=after, **more), rows)  # type: ignore[arg-type]
        found += page.rows
        if not page.older:
            return found
        after = page.older


@FEW
@given(ROWS, ORDERS, st.integers(1, 7))
def test_pages_put_together_are_the_list(
    rows: list[Row], order: str, size: int
) -> None:
    listing = PagedList(SHAPE, rows)
    found = walked(listing, order, size)
    assert found == listing.all_rows(ListQuery(order=order))
    assert sorted(found) == sorted(rows)
    at = 1 if order.endswith("size") else 0
    keys = [row[at] for row in found]
    assert keys == sorted(keys, reverse=order.startswith("-"))


@pytest.mark.parametrize(
    ("path", "name", "value", "hint"),
    [
        ("/findings", "severity", "Critical", "did you mean critical?"),
        ("/findings", "state", "Open", "did you mean open?"),
        ("/agents", "owner-state", "zzz", "choose one of them"),
        ("/agents", "runs", "Attended", "did you mean attended?"),
        ("/identities", "agents", "all", "choose one of them"),
        ("/credentials", "lifetime", "statik", "did you mean static?"),
        ("/credentials", "age", "Old", "did you mean old?"),
        ("/tools", "runs", "off", "choose one of them"),
        ("/people", "kind", "Team", "did you mean team?"),
        ("/asks", "state", "Open", "did you mean open?"),
        ("/decisions", "effect", "Deny", "did you mean deny?"),
        ("/decisions", "reason", "zzz", "choose one of them"),
    ],
)
def test_an_unknown_value_of_a_filter_is_an_error(
    desk: StoreCache, admin: Visitor, path: str, name: str, value: str, hint: str
) -> None:
    with pytest.raises(UsageError, match=f"invalid value for {name}") as found:
        answer(desk, admin, path, **{name: value})
    assert found.value.hint == hint


@FEW
@given(ROWS, ORDERS, st.integers(1, 7))
def test_the_page_in_front_is_the_one_that_was_left(
    rows: list[Row], order: str, size: int
) -> None:
    listing = PagedList(SHAPE, rows)
    first = listing.get_page(ListQuery(order=order), size)
    if not first.older:
        return
    second = listing.get_page(ListQuery(order=order, after=first.older), size)
    back = listing.get_page(ListQuery(order=order, before=second.newer), size)
    assert back.rows == first.rows
    assert not back.newer


@FEW
@given(ROWS, ORDERS, st.integers(1, 5), st.data())
def test_what_leaves_and_comes_moves_no_other_row(
    rows: list[Row], order: str, size: int, data: st.DataObject
) -> None:
    first = PagedList(SHAPE, rows).get_page(ListQuery(order=order), size)
    gone = data.draw(st.sets(st.sampled_from(rows))) if rows else set()
    rest = PagedList(SHAPE, [row for row in rows if row not in gone])
    found = list(first.rows)
    if first.older:
        after = ListQuery(order=order, after=first.older)
        found += rest.get_page(after, len(rows)).rows
    stayed = [row for row in found if row not in gone]
    assert sorted(stayed) == sorted(row for row in rows if row not in gone)
    assert len(set(found)) == len(found)


def test_a_list_is_narrowed_by_words_and_by_what_things_are() -> None:
    listing = PagedList(SHAPE, [("Alpha", 1, "a"), ("alp", 2, "b"), ("beta", 3, "a")])
    assert listing.get_page(ListQuery(search="ALP")).total == 2
    assert listing.get_page(ListQuery(search="alp b")).total == 1
    assert listing.get_page(ListQuery(only={"kind": "a"})).total == 2
    assert listing.get_page(ListQuery(only={"kind": "z"})).total == 0
    assert listing.counts["kind"] == {"a": 2, "b": 1}


_LETTERS = st.text("aAé\u0130\ud800 \n", max_size=5)


@FEW
@given(st.lists(st.tuples(_LETTERS, st.sampled_from("aA")), max_size=9), _LETTERS)
def test_words_are_found_as_by_looking_at_each_row(
    rows: list[tuple[str, str]], search: str
) -> None:
    items = [(text, at, kind) for at, (text, kind) in enumerate(rows)]
    shape = replace(SHAPE, key=lambda row: str(row[1]))
    listing = PagedList(shape, items)
    for kind in ("", "a"):
        expected = [
            (text, at, has)
            for text, at, has in items
            if kind in ("", has)
            and all(w in f"{text} {has}".casefold() for w in search.casefold().split())
        ]
        wanted = ListQuery(search=search, only={"kind": kind}, order="size")
        assert listing.all_rows(wanted) == expected
        assert listing.all_rows(wanted) == expected, "as kept"
        assert listing.count_matching({"kind": "a"}) == sum(
            has == "a" for _, _, has in items
        )


@pytest.mark.parametrize("cursor", ["x", "bnVsbA", "WzEsMl0", "W251bGwsImEiXQ", "é"])
def test_a_cursor_that_is_none_is_refused(cursor: str) -> None:
    with pytest.raises(UsageError):
        PagedList(SHAPE, [("a", 1, "a")]).get_page(ListQuery(after=cursor))


def test_a_cursor_of_another_order_is_refused() -> None:
    listing = PagedList(SHAPE, [(name, 1, "a") for name in "abc"])
    cursor = listing.get_page(ListQuery(order="size"), 1).older
    with pytest.raises(UsageError):
        listing.get_page(ListQuery(order="name", after=cursor))


def test_an_order_that_is_none_is_refused() -> None:
    with pytest.raises(UsageError, match="unknown sort order"):
        PagedList(SHAPE, [("a", 1, "a")]).get_page(ListQuery(order="colour"))
