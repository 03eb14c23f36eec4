"""Paged list with filters, sorting and search, fifty rows per page.

A cursor is the sort key and id of a row, not an offset, so pages neither repeat nor
omit rows when the list changes.
"""

import base64
import json
from bisect import bisect_left, bisect_right
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Generic, TypeVar

from answerable.lineage.text_index import SubstringIndex
from answerable.model.errors import UsageError

PAGE_SIZE = 50
ItemT = TypeVar("ItemT")
SortKey = tuple[float | str, str]
_SortEntry = tuple[float | str, str, int]
_FacetValues = tuple[tuple[str, str], ...]
_MAX_CACHED = 16  # cached results: paging asks for the same one again


@dataclass(frozen=True, slots=True)
class ListFacet(Generic[ItemT]):
    """A filter of a list.

    Attributes:
        of: Returns the value of an item.
    """

    name: str
    label: str
    of: Callable[[ItemT], str]


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

    def __init__(self, shape: ListDefinition[ItemT], items: Iterable[ItemT]) -> None:
        self.shape = shape
        self.items = tuple(items)
        self.by_key = {shape.key(item): item for item in self.items}
        self._texts = SubstringIndex(" ".join(shape.words(item)) for item in self.items)
        self._facets = {
            facet.name: [facet.of(item) for item in self.items]
            for facet in shape.facets
        }
        self.counts: Mapping[str, Counter[str]] = {
            name: Counter(values) for name, values in self._facets.items()
        }
        self._orders: dict[str, list[_SortEntry]] = {}
        self._joint: dict[_FacetValues, int] = {}
        self._found: OrderedDict[tuple[str, _FacetValues, str], list[_SortEntry]] = (
            OrderedDict()
        )

    def count_matching(self, only: Mapping[str, str]) -> int:
        """Count the items with all of these facet values."""
        key = tuple(sorted(only.items()))
        if key not in self._joint:
            self._joint[key] = len(self._matching_indexes(key, ()))
        return self._joint[key]

    def all_rows(self, wanted: ListQuery) -> list[ItemT]:
        """Return all matching rows, sorted."""
        fitting = [self.items[at] for _, _, at in self._matching_entries(wanted)]
        return fitting[::-1] if wanted.order.startswith("-") else fitting

    def get_page(self, wanted: ListQuery, rows: int = PAGE_SIZE) -> ListPage[ItemT]:
        """Return one page.

        Raises:
            UsageError: The sort key is unknown, or the cursor is of another list.
        """
        entries = self._matching_entries(wanted)
        down = wanted.order.startswith("-")
        start, end = 0, len(entries)
        if wanted.after or wanted.before:
            key = _decode_cursor(wanted.after or wanted.before)
            start, end = _range_from(
                entries, key, greater=bool(wanted.after) is not down
            )
        # Of what lies on that side, the rows nearest to it; without a cursor the first.
        from_end = bool(wanted.before and not wanted.after) is not down
        if from_end:
            start = max(start, end - rows)
        else:
            end = min(end, start + rows)
        cut = entries[start:end]
        if down:
            cut = cut[::-1]
        below, above = start > 0, end < len(entries)
        behind, front = (below, above) if down else (above, below)
        return ListPage(
            [self.items[at] for _, _, at in cut],
            len(entries),
            _encode_cursor(cut[-1]) if cut and behind else "",
            _encode_cursor(cut[0]) if cut and front else "",
        )

    def _matching_entries(self, wanted: ListQuery) -> list[_SortEntry]:
        order = wanted.order.removeprefix("-")
        entries = self._sorted_entries(order)
        only = tuple(sorted((n, value) for n, value in wanted.only.items() if value))
        words = sorted(wanted.search.split(), key=len, reverse=True)
        if not only and not words:
            return entries
        key = (order, only, " ".join(words))
        found = self._found.get(key)
        if found is None:
            fits = self._matching_indexes(only, words)
            found = [entry for entry in entries if entry[2] in fits]
            self._found[key] = found
            while len(self._found) > _MAX_CACHED:
                self._found.popitem(last=False)
        return found

    def _matching_indexes(self, only: _FacetValues, words: Sequence[str]) -> set[int]:
        """Return the indexes of matching items."""
        sets = (set(self._texts.find(word)) for word in words)
        fits = set.intersection(*sets) if words else set(range(len(self.items)))
        for name, value in only:
            values = self._facets[name]
            fits = {at for at in fits if values[at] == value}
        return fits

    def _sorted_entries(self, name: str) -> list[_SortEntry]:
        name = name or next(iter(self.shape.orders))
        of = self.shape.orders.get(name)
        if of is None:
            known = ", ".join(self.shape.orders)
            raise UsageError(
                f"unknown order (got {name[:80]!r})", f"there are: {known}"
            )
        if name not in self._orders:
            key = self.shape.key
            self._orders[name] = sorted(
                (of(item), key(item), at) for at, item in enumerate(self.items)
            )
        return self._orders[name]


def _range_from(
    entries: list[_SortEntry], key: SortKey, *, greater: bool
) -> tuple[int, int]:
    """Return the range of entries after, or before, a row."""
    try:
        if greater:
            return bisect_right(entries, (*key, len(entries))), len(entries)
        return 0, bisect_left(entries, (*key, -1))
    except TypeError:
        raise _cursor_error() from None


def _encode_cursor(entry: _SortEntry) -> str:
    raw = json.dumps(entry[:2], separators=(",", ":")).encode()
    return base64.urlsafe_b64encode(raw).decode().rstrip("=")


def _decode_cursor(cursor: str) -> SortKey:
    try:
        raw = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        key, name = json.loads(raw)
    except (ValueError, TypeError, RecursionError):
        raise _cursor_error() from None
    if not isinstance(key, str | int | float) or not isinstance(name, str):
        raise _cursor_error()
    return key, name


def _cursor_error() -> UsageError:
    return UsageError("not a place in this list", "begin with its first page")
