"""Filter, sort, search and page a list in memory, fifty rows per page.

A cursor is the sort key and id of a row, not an offset, so pages neither repeat nor
omit rows when the list changes.
"""

import base64
import json
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from difflib import get_close_matches
from itertools import chain
from typing import Generic, TypeVar

from answerable.lineage.substring_index import SubstringIndex
from answerable.model.errors import UsageError

PAGE_SIZE = 50
ItemT = TypeVar("ItemT")
SortKey = tuple[float | str, str]
_SortEntry = tuple[float | str, str, int]
_FacetValues = tuple[tuple[str, str], ...]
_MAX_CACHED = 16  # cached results; paging repeats the same query


@dataclass(frozen=True, slots=True)
class ListFacet(Generic[ItemT]):
    """A filter of a list.

    Attributes:
        get_value: Returns the value of an item, or several values.
        values: All possible values; empty if they are not declared.
    """

    name: str
    label: str
    get_value: Callable[[ItemT], str | tuple[str, ...]]
    values: tuple[str, ...] = ()

    def check_value(self, value: str) -> None:
        """Refuse a value that no item can have; empty asks for any.

        Raises:
            UsageError: It is not one of the declared values.
        """
        if self.values:
            require_declared_value(self.name, value, self.values)


@dataclass(frozen=True, slots=True)
class ListDefinition(Generic[ItemT]):
    """Definition of a list.

    Attributes:
        key: Returns the unique id of an item.
        orders: Sort keys by name, the first is the default; each returns only text or
            only numbers.
        words: Returns the searchable texts.
    """

    key: Callable[[ItemT], str]
    facets: tuple[ListFacet[ItemT], ...]
    orders: Mapping[str, Callable[[ItemT], float | str]]
    words: Callable[[ItemT], Iterable[str]]


@dataclass(frozen=True, slots=True)
class ListQuery:
    """Query of a list.

    Attributes:
        search: Words; an item must contain each.
        order: Name of a sort key, with `-` for descending.
        after: Cursor of the row before the page.
        before: Cursor of the row behind the page.
    """

    search: str = ""
    only: Mapping[str, str] = field(default_factory=dict)
    order: str = ""
    after: str = ""
    before: str = ""


@dataclass(frozen=True, slots=True)
class ListPage(Generic[ItemT]):
    """One page of a list.

    Attributes:
        total: Number of matching rows.
        older: Cursor of the next page, empty for none.
        newer: Cursor of the previous page, empty for none.
    """

    rows: Sequence[ItemT]
    total: int
    older: str
    newer: str


class PagedList(Generic[ItemT]):
    """A list of items of one kind."""

    def __init__(
        self, definition: ListDefinition[ItemT], items: Iterable[ItemT]
    ) -> None:
        self.shape = definition
        self.items = tuple(items)
        self.by_key = {definition.key(item): item for item in self.items}
        self._texts = SubstringIndex(
            " ".join(definition.words(item)) for item in self.items
        )
        self._facets = {
            facet.name: [facet.get_value(item) for item in self.items]
            for facet in definition.facets
        }
        self.counts: Mapping[str, Counter[str]] = {
            name: Counter(chain.from_iterable(map(_as_values, values)))
            for name, values in self._facets.items()
        }
        self._orders: dict[str, list[_SortEntry]] = {}
        self._facet_counts: dict[_FacetValues, int] = {}
        self._results: OrderedDict[tuple[str, _FacetValues, str], list[_SortEntry]] = (
            OrderedDict()
        )

    def count_matching(self, facet_values: Mapping[str, str]) -> int:
        """Count the items that have all of these facet values."""
        key = tuple(sorted(facet_values.items()))
        if key not in self._facet_counts:
            self._facet_counts[key] = len(self._matching_indexes(key, ()))
        return self._facet_counts[key]

    def all_rows(self, query: ListQuery) -> list[ItemT]:
        """Return all matching rows, sorted."""
        matching = [self.items[at] for _, _, at in self._matching_entries(query)]
        return matching[::-1] if query.order.startswith("-") else matching

    def iterate_rows(self, only: Mapping[str, str], order: str) -> Iterator[ItemT]:
        """Yield the rows with some facet values, sorted."""
        entries = self._matching_entries(ListQuery(only=only, order=order))
        return (self.items[at] for _, _, at in entries)

    def get_page(self, query: ListQuery, page_size: int = PAGE_SIZE) -> ListPage[ItemT]:
        """Return the page of matching rows before or after a cursor.

        Raises:
            UsageError: The sort key or a facet value is unknown, or the cursor is of
                another list.
        """
        entries = self._matching_entries(query)
        descending = query.order.startswith("-")
        start, end = 0, len(entries)
        if query.after or query.before:
            key = _decode_cursor(query.after or query.before)
            start, end = _find_range_bounds(
                entries, key, after=bool(query.after) is not descending
            )
        # Take the rows nearest to the cursor; without a cursor the first ones.
        from_end = bool(query.before and not query.after) is not descending
        if from_end:
            start = max(start, end - page_size)
        else:
            end = min(end, start + page_size)
        page = entries[start:end]
        if descending:
            page = page[::-1]
        below, above = start > 0, end < len(entries)
        behind, front = (below, above) if descending else (above, below)
        return ListPage(
            [self.items[at] for _, _, at in page],
            len(entries),
            _encode_cursor(page[-1]) if page and behind else "",
            _encode_cursor(page[0]) if page and front else "",
        )

    def _matching_entries(self, query: ListQuery) -> list[_SortEntry]:
        """Return the sorted entries that match facets and words, cached."""
        for facet in self.shape.facets:
            facet.check_value(query.only.get(facet.name, ""))
        order = query.order.removeprefix("-")
        entries = self._sorted_entries(order)
        facet_values = tuple(
            sorted((n, value) for n, value in query.only.items() if value)
        )
        words = sorted(query.search.split(), key=len, reverse=True)
        if not facet_values and not words:
            return entries
        key = (order, facet_values, " ".join(words))
        found = self._results.get(key)
        if found is None:
            indexes = self._matching_indexes(facet_values, words)
            found = [entry for entry in entries if entry[2] in indexes]
            self._results[key] = found
            while len(self._results) > _MAX_CACHED:
                self._results.popitem(last=False)
        return found

    def _matching_indexes(
        self, facet_values: _FacetValues, words: Sequence[str]
    ) -> set[int]:
        """Return the indexes of the items that match facets and words."""
        sets = (set(self._texts.find_texts_with_substring(word)) for word in words)
        indexes = set.intersection(*sets) if words else set(range(len(self.items)))
        for name, value in facet_values:
            values = self._facets[name]
            indexes = {at for at in indexes if value in _as_values(values[at])}
        return indexes

    def _sorted_entries(self, order: str) -> list[_SortEntry]:
        """Return all entries sorted by a named order, cached."""
        order = order or next(iter(self.shape.orders))
        sort_value = self.shape.orders.get(order)
        if sort_value is None:
            known = ", ".join(self.shape.orders)
            raise UsageError(
                f"unknown sort order (got {order[:80]!r})", f"sort orders: {known}"
            )
        if order not in self._orders:
            key = self.shape.key
            self._orders[order] = sorted(
                (sort_value(item), key(item), at) for at, item in enumerate(self.items)
            )
        return self._orders[order]


def _as_values(value: str | tuple[str, ...]) -> tuple[str, ...]:
    """Return the values of an item as a tuple."""
    return (value,) if isinstance(value, str) else value


def require_declared_value(name: str, value: str, values: Sequence[str]) -> None:
    """Refuse a filter value that is not declared; empty asks for any.

    Raises:
        UsageError: It is another word.
    """
    if value and value not in values:
        near = get_close_matches(value[:80].lower(), values, 1)
        raise UsageError(
            f"invalid value for {name} (got {value[:80]!r}, "
            f"expected {', '.join(values)})",
            f"did you mean {near[0]}?" if near else "choose one of them",
        )


def _find_range_bounds(
    entries: list[_SortEntry], key: SortKey, *, after: bool
) -> tuple[int, int]:
    """Return start and end of the entries after, or before, a sort key."""
    try:
        if after:
            return bisect_right(entries, (*key, len(entries))), len(entries)
        return 0, bisect_left(entries, (*key, -1))
    except TypeError:
        raise _build_cursor_error() from None


def _encode_cursor(entry: _SortEntry) -> str:
    """Encode sort key and id of an entry as a cursor."""
    raw = json.dumps(entry[:2], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode_cursor(cursor: str) -> SortKey:
    """Decode a cursor to sort key and id."""
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key, name = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        raise _build_cursor_error() from None
    if not isinstance(key, str | int | float) or not isinstance(name, str):
        raise _build_cursor_error()
    return key, name


def parse_offset(text: str) -> int:
    """Parse the number of rows before a page; an empty text is the first page.

    Raises:
        UsageError: It is not a number.
    """
    if not text:
        return 0
    if not (text.isascii() and text.isdecimal() and len(text) <= 9):
        raise _build_cursor_error()
    return int(text)


def _build_cursor_error() -> UsageError:
    """Return the error about a cursor that does not belong to the list."""
    return UsageError("invalid page cursor", "start at the first page")
