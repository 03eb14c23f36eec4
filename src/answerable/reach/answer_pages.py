"""Pages of long answers; a page costs no more than its rows.

All rows of a subject that can become thousands of identities take minutes to list. A
page covers a few identities, in the same order, and ends with a cursor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import get_closure
from answerable.reach.aws.candidate_callers import list_candidate_callers
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.external_queries import list_entry_roles
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.search import ReachPath, iterate_paths
from answerable.reach.aws.pattern_answers import is_pattern_question
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.caller_ranking import IDENTITY_GRADES, CallerRanking
from answerable.reach.formula import FALSE
from answerable.reach.queries import (
    ReachAnswer,
    build_row_answer,
    iterate_reach,
    list_callable_rows,
)
from answerable.reach.who_can import (
    CallerQuery,
    build_caller_query,
    list_lazy_answers,
    list_who_can,
)


@dataclass(frozen=True, slots=True, order=True)
class PageCursor:
    """Cursor: position in a list at which the next page begins.

    Attributes:
        way: Position of the identity in the search from the subject.
        row: Position of its row.
    """

    way: int = 0
    row: int = 0


@dataclass(frozen=True, slots=True)
class AnswerPage:
    """Page of answers.

    Attributes:
        replies: In order.
        after: Cursor of the next page; None at the end.
        ways: Number of identities covered.
    """

    replies: tuple[ReachAnswer, ...]
    after: PageCursor | None
    ways: int


def list_reach_page(
    graph: IdentityGraph,
    start: IdentityId,
    wanted: RowFilter,
    *,
    direct: bool,
    after: PageCursor,
    most_rows: int,
    most_ways: int,
) -> AnswerPage:
    """List rows from a cursor on, in the order of `iterate_reach`.

    A row of an earlier page may come again, with another path.
    """
    if start not in graph.estate.principals:
        # An outside caller has few rows, in one list.
        found = iterate_reach(graph, start, wanted, direct=direct)
        rows = tuple(islice(found, after.row, after.row + most_rows + 1))
        more = PageCursor(0, after.row + most_rows) if len(rows) > most_rows else None
        return AnswerPage(rows[:most_rows], more, 1)
    listing = _ReachPager(graph, start, wanted)
    return listing.list_page(
        _iterate_paths(graph, start, direct=direct), after, most_rows, most_ways
    )


def _iterate_paths(
    graph: IdentityGraph, start: IdentityId, *, direct: bool
) -> Iterator[ReachPath]:
    node = graph.get_start_node(start)
    return iter([ReachPath(graph, (node,))]) if direct else iterate_paths(graph, node)


def count_identities(graph: IdentityGraph, start: IdentityId, *, direct: bool) -> int:
    """Count the identities whose rows a subject has, its own included.

    For an outside caller the roles that it may enter are counted, without their reach.
    """
    if start not in graph.estate.principals:
        caller = parse_caller(start, graph.estate.accounts)
        return 1 + (
            0
            if direct or caller is None
            else len(list(list_entry_roles(graph, caller)))
        )
    if direct:
        return 1
    whole = get_closure(graph)
    number = whole.get_number(graph.get_start_node(start))
    found = whole.get_reachable(number) | 1 << number
    return len({whole.get_node(n).identity for n in list_positions(found)})


def list_callers_page(
    asking: CallerQuery,
    count: int,
    *,
    after: PageCursor,
    most_rows: int,
    most_ways: int,
) -> AnswerPage:
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
    found: list[ReachAnswer] = []
    gone = 0
    if after.way == 0:
        leading = asking.list_outsiders()[0]
        found += leading[after.row : after.row + most_rows]
        if after.row + len(found) < len(leading):
            return AnswerPage(tuple(found), PageCursor(0, after.row + len(found)), 0)
    for number, grades in enumerate(IDENTITY_GRADES):
        first = max(0, after.way - 1 - number * count)
        if first >= count:
            continue
        for place, reply in asking.iterate_identities(grades, first):
            if len(found) == most_rows or gone == most_ways:
                return AnswerPage(
                    tuple(found), PageCursor(1 + number * count + place), gone
                )
            found += [reply] if reply else []
            gone += 1
    last = asking.list_outsiders()[1]
    row = after.row if after.way >= end else 0
    shown = last[row : row + most_rows - len(found)]
    rest = row + len(shown) < len(last)
    on = PageCursor(end, row + len(shown)) if rest else None
    return AnswerPage((*found, *shown), on, gone)


@dataclass(frozen=True, slots=True)
class FirstCallers:
    """First callers of a list.

    Attributes:
        replies: In order, the gravest first.
        done: Number of callers evaluated.
        of: Number of candidate callers, an upper bound of the full list.
    """

    replies: tuple[ReachAnswer, ...]
    done: int
    of: int


def list_first_callers(
    graph: IdentityGraph,
    action: str,
    resource: str,
    *,
    direct: bool,
    gravity: CallerRanking,
    most: int,
) -> FirstCallers:
    """List the first callers of `list_who_can`; the others are counted.

    For a pattern every caller is evaluated; else the search stops after the last one
    listed.
    """
    count, asked = _iterate_callers(graph, action, resource, gravity, direct=direct)
    found: list[ReachAnswer] = []
    done = 0
    for reply in asked:
        done += 1
        found += [reply] if reply and reply.formula != FALSE else []
        if len(found) == most:
            break
    return FirstCallers(tuple(found), done, count)


def _iterate_callers(
    graph: IdentityGraph,
    action: str,
    resource: str,
    gravity: CallerRanking,
    *,
    direct: bool,
) -> tuple[int, Iterator[ReachAnswer | None]]:
    """Count the candidate callers, and evaluate them in the order of the list."""
    if is_pattern_question(graph.estate, action, resource):
        every = list(
            list_who_can(graph, action, resource, direct=direct, gravity=gravity)
        )
        return len(every), iter(every)
    if not direct:
        makers = list_lazy_answers(graph, action, resource, gravity)
        return len(makers), (make() for make in makers)
    asking = build_caller_query(graph, action, resource, gravity, direct=True)
    leading, last = asking.list_outsiders()
    identities = sum(1 for _ in list_candidate_callers(graph.estate, action, resource))

    def ask_all() -> Iterator[ReachAnswer | None]:
        yield from leading
        for grades in IDENTITY_GRADES:
            yield from (reply for _, reply in asking.iterate_identities(grades))
        yield from last

    return len(leading) + identities + len(last), ask_all()


class _ReachPager:
    """Pager over the rows of a subject."""

    def __init__(
        self, graph: IdentityGraph, start: IdentityId, wanted: RowFilter
    ) -> None:
        self._graph, self._start, self._wanted = graph, start, wanted
        self._ruled: set[str] = set()
        self._told: set[tuple[object, ...]] = set()

    def list_page(
        self,
        ways: Iterator[ReachPath],
        after: PageCursor,
        most_rows: int,
        most_ways: int,
    ) -> AnswerPage:
        found: list[ReachAnswer] = []
        gone = 0
        for number, way in enumerate(ways):
            if self._is_covered_by_administrator(way) or number < after.way:
                continue
            if gone == most_ways:
                return AnswerPage(tuple(found), PageCursor(number), gone)
            first = after.row if number == after.way else 0
            for at, row in enumerate(islice(self._list_rows(way), first, None), first):
                if len(found) == most_rows:
                    return AnswerPage(tuple(found), PageCursor(number, at), gone + 1)
                reply = build_row_answer(self._graph, self._start, way, row, self._told)
                found += [reply] if reply else []
            gone += 1
        return AnswerPage(tuple(found), None, gone)

    def _list_rows(self, way: ReachPath) -> Iterator[PermissionRow]:
        return list_callable_rows(
            self._graph, self._graph.get_principal(way.target), self._wanted
        )

    def _is_covered_by_administrator(self, way: ReachPath) -> bool:
        """Tell whether rows of an earlier administrator cover those of an identity."""
        account = self._graph.get_principal(way.target).identity.account
        if account in self._ruled and way.step_count:
            return True
        if self._graph.is_administrator(way.target) and way.certain:
            self._ruled.add(account)
        return False
