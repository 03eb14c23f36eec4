"""Pages of long answers; a page costs no more than its rows.

All rows of a subject that can become thousands of identities take minutes to list. A
page covers a few identities, in the same order, and ends with a cursor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import positions
from answerable.reach.aws.bulk.closure import whole_of
from answerable.reach.aws.candidate_callers import candidates
from answerable.reach.aws.compiled.external_callers import caller_of
from answerable.reach.aws.external_queries import entries_of
from answerable.reach.aws.paths.identity_graph import Graph
from answerable.reach.aws.paths.search import Reached, reached
from answerable.reach.aws.pattern_answers import is_pattern
from answerable.reach.aws.permission_rows.row_types import Filter, Row
from answerable.reach.formula import FALSE
from answerable.reach.queries import Reply, listed, principal_rows, reach
from answerable.reach.who_can import (
    IDENTITY_GRADES,
    Asking,
    Gravity,
    asking_of,
    entries,
    who_can,
)


@dataclass(frozen=True, slots=True, order=True)
class Place:
    """Cursor: position in a list at which the next page begins.

    Attributes:
        way: Position of the identity in the search from the subject.
        row: Position of its row.
    """

    way: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class Part:
    """Page of answers.

    Attributes:
        replies: In order.
        after: Cursor of the next page; None at the end.
        ways: Number of identities covered.
    """

    replies: tuple[Reply, ...]
    after: Place | None
    ways: int


def part(
    graph: Graph,
    start: IdentityId,
    wanted: Filter,
    *,
    direct: bool,
    after: Place,
    most_rows: int,
    most_ways: int,
) -> Part:
    """List rows from a cursor on, in the order of `iterate_reach`.

    A row of an earlier page may come again, with another path.
    """
    if start not in graph.estate.principals:
        # An outside caller has few rows, in one list.
        found = reach(graph, start, wanted, direct=direct)
        rows = tuple(islice(found, after.row, after.row + most_rows + 1))
        more = Place(0, after.row + most_rows) if len(rows) > most_rows else None
        return Part(rows[:most_rows], more, 1)
    listing = _Listing(graph, start, wanted)
    return listing.part(_ways(graph, start, direct=direct), after, most_rows, most_ways)


def _ways(graph: Graph, start: IdentityId, *, direct: bool) -> Iterator[Reached]:
    node = graph.start(start)
    return iter([Reached(graph, (node,))]) if direct else reached(graph, node)


def count_identities(graph: Graph, start: IdentityId, *, direct: bool) -> int:
    """Count the identities whose rows a subject has, its own included.

    For an outside caller the roles that it may enter are counted, without their reach.
    """
    if start not in graph.estate.principals:
        caller = caller_of(start, graph.estate.accounts)
        return 1 + (
            0 if direct or caller is None else len(list(entries_of(graph, caller)))
        )
    if direct:
        return 1
    whole = whole_of(graph)
    number = whole.number(graph.start(start))
    found = whole.beyond(number) | 1 << number
    return len({whole.node(n).identity for n in positions(found)})


def able_part(
    asking: Asking, count: int, *, after: Place, most_rows: int, most_ways: int
) -> Part:
    """List callers from a cursor on, in the order of `list_who_can`.

    Position 0 holds outside callers; then come all identities once per grade, and
    services last.

    Args:
        asking: Evaluates callers.
        count: Number of identities.
        after: Cursor.
        most_rows: Most answers.
        most_ways: Most identities to evaluate.
    """
    end = 1 + count * len(IDENTITY_GRADES)
    found: list[Reply] = []
    gone = 0
    if after.way == 0:
        leading = asking.outsiders()[0]
        found += leading[after.row : after.row + most_rows]
        if after.row + len(found) < len(leading):
            return Part(tuple(found), Place(0, after.row + len(found)), 0)
    for number, grades in enumerate(IDENTITY_GRADES):
        first = max(0, after.way - 1 - number * count)
        if first >= count:
            continue
        for place, reply in asking.identities(grades, first):
            if len(found) == most_rows or gone == most_ways:
                return Part(tuple(found), Place(1 + number * count + place), gone)
            found += [reply] if reply else []
            gone += 1
    last = asking.outsiders()[1]
    row = after.row if after.way >= end else 0
    shown = last[row : row + most_rows - len(found)]
    rest = row + len(shown) < len(last)
    on = Place(end, row + len(shown)) if rest else None
    return Part((*found, *shown), on, gone)


@dataclass(frozen=True, slots=True)
class FirstCallers:
    """First callers of a list.

    Attributes:
        replies: In order, the gravest first.
        done: Number of callers evaluated.
        of: Number of candidate callers, an upper bound of the full list.
    """

    replies: tuple[Reply, ...]
    done: int
    of: int


def first_callers(
    graph: Graph,
    action: str,
    resource: str,
    *,
    direct: bool,
    gravity: Gravity,
    most: int,
) -> FirstCallers:
    """List the first callers of `list_who_can`; the others are counted.

    For a pattern every caller is evaluated; else the search stops after the last one
    listed.
    """
    count, asked = _callers(graph, action, resource, gravity, direct=direct)
    found: list[Reply] = []
    done = 0
    for reply in asked:
        done += 1
        found += [reply] if reply and reply.formula != FALSE else []
        if len(found) == most:
            break
    return FirstCallers(tuple(found), done, count)


def _callers(
    graph: Graph, action: str, resource: str, gravity: Gravity, *, direct: bool
) -> tuple[int, Iterator[Reply | None]]:
    """Count the candidate callers, and evaluate them in the order of the list."""
    if is_pattern(graph.estate, action, resource):
        every = list(who_can(graph, action, resource, direct=direct, gravity=gravity))
        return len(every), iter(every)
    if not direct:
        makers = entries(graph, action, resource, gravity)
        return len(makers), (make() for make in makers)
    asking = asking_of(graph, action, resource, gravity, direct=True)
    leading, last = asking.outsiders()
    identities = sum(1 for _ in candidates(graph.estate, action, resource))

    def ask_all() -> Iterator[Reply | None]:
        yield from leading
        for grades in IDENTITY_GRADES:
            yield from (reply for _, reply in asking.identities(grades))
        yield from last

    return len(leading) + identities + len(last), ask_all()


class _Listing:
    """Pager over the rows of a subject."""

    def __init__(self, graph: Graph, start: IdentityId, wanted: Filter) -> None:
        self._graph, self._start, self._wanted = graph, start, wanted
        self._ruled: set[str] = set()
        self._told: set[tuple[object, ...]] = set()

    def part(
        self, ways: Iterator[Reached], after: Place, most_rows: int, most_ways: int
    ) -> Part:
        found: list[Reply] = []
        gone = 0
        for number, way in enumerate(ways):
            if self._is_ruled(way) or number < after.way:
                continue
            if gone == most_ways:
                return Part(tuple(found), Place(number), gone)
            first = after.row if number == after.way else 0
            for at, row in enumerate(islice(self._rows(way), first, None), first):
                if len(found) == most_rows:
                    return Part(tuple(found), Place(number, at), gone + 1)
                reply = listed(self._graph, self._start, way, row, self._told)
                found += [reply] if reply else []
            gone += 1
        return Part(tuple(found), None, gone)

    def _rows(self, way: Reached) -> Iterator[Row]:
        return principal_rows(
            self._graph, self._graph.principal(way.node), self._wanted
        )

    def _is_ruled(self, way: Reached) -> bool:
        """Tell whether rows of an earlier administrator cover those of an identity."""
        account = self._graph.principal(way.node).identity.account
        if account in self._ruled and way.steps:
            return True
        if self._graph.admin(way.node) and way.certain:
            self._ruled.add(account)
        return False
