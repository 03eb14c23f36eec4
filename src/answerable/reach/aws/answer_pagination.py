"""List one page of a long answer, from a cursor on, without computing the rest.

All rows of a subject that can become thousands of identities take minutes to list. A
page covers a few identities, in the same order, and ends with a cursor.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice

from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.reach.aws.bulk.bitset import list_positions
from answerable.reach.aws.bulk.closure import get_graph_closure
from answerable.reach.aws.call_parsing import is_pattern_question
from answerable.reach.aws.candidate_callers import list_candidate_callers
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.external_caller_queries import list_roles_trusting_caller
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.paths.path_search import ReachPath, iterate_paths
from answerable.reach.aws.permission_rows.row_types import PermissionRow, RowFilter
from answerable.reach.aws.subject_queries import (
    ReachAnswer,
    build_answer_for_row,
    iterate_subject_rows,
)
from answerable.reach.aws.who_can import (
    CallerQuery,
    build_caller_query,
    list_all_callers_by_severity,
    list_lazy_caller_answers,
)
from answerable.reach.caller_ranking import IDENTITY_GRADES, CallerRanking
from answerable.reach.condition_formula import FALSE


@dataclass(frozen=True, slots=True, order=True)
class PageCursor:
    """Cursor: position in a list at which the next page begins.

    Attributes:
        way: Position of the identity in the search from the subject.
        row: Position of its row.
    """

    way: int = 0
    row: int = 0


def parse_page_cursor(text: str) -> tuple[int, PageCursor]:
    """Parse a page cursor: index of the subject's identity, and position from there.

    Raises:
        UsageError: It is malformed.
    """
    parts = text.split(".") if text else ["0", "0", "0"]
    if len(parts) != 3 or not all(_is_short_decimal_number(part) for part in parts):
        raise UsageError(
            f"invalid page cursor (got {text[:40]!r}, expected the `after` value of "
            "a previous page)",
            "omit `after` to start at the first page",
        )
    start, way, row = map(int, parts)
    return start, PageCursor(way, row)


def _is_short_decimal_number(text: str) -> bool:
    """Return whether a text is a decimal number of at most nine digits."""
    return text.isascii() and text.isdigit() and len(text) <= 9


def format_page_cursor(start: int, position: PageCursor) -> str:
    """Format a page cursor as `START.PATH.ROW`."""
    return f"{start}.{position.way}.{position.row}"


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
    subject: IdentityId,
    row_filter: RowFilter,
    *,
    direct: bool,
    after: PageCursor,
    max_rows: int,
    max_identities: int,
) -> AnswerPage:
    """List one page of a subject's permission rows, from a cursor on.

    A row of an earlier page may come again, with another path.
    """
    if subject not in graph.accounts.principals:
        # An outside caller has few rows, in one list.
        found = iterate_subject_rows(graph, subject, row_filter, direct=direct)
        rows = tuple(islice(found, after.row, after.row + max_rows + 1))
        more = PageCursor(0, after.row + max_rows) if len(rows) > max_rows else None
        return AnswerPage(rows[:max_rows], more, 1)
    listing = _ReachPager(graph, subject, row_filter)
    return listing.list_permission_row_page(
        _iterate_subject_paths(graph, subject, direct=direct),
        after,
        max_rows,
        max_identities,
    )


def _iterate_subject_paths(
    graph: IdentityGraph, subject: IdentityId, *, direct: bool
) -> Iterator[ReachPath]:
    """Iterate over a subject's paths; only its own identity if `direct`."""
    node = graph.get_start_node(subject)
    return iter([ReachPath(graph, (node,))]) if direct else iterate_paths(graph, node)


def count_reachable_identities(
    graph: IdentityGraph, subject: IdentityId, *, direct: bool
) -> int:
    """Count the identities that a subject is or can become.

    For an outside caller the roles that it may enter are counted, without their reach.
    """
    if subject not in graph.accounts.principals:
        caller = parse_caller(subject, graph.accounts.accounts)
        return 1 + (
            0
            if direct or caller is None
            else len(list(list_roles_trusting_caller(graph, caller)))
        )
    if direct:
        return 1
    whole = get_graph_closure(graph)
    number = whole.get_or_assign_node_number(graph.get_start_node(subject))
    found = whole.get_reachable(number) | 1 << number
    return len({whole.get_node_by_number(n).identity for n in list_positions(found)})


def list_callers_page(
    query: CallerQuery,
    identity_count: int,
    *,
    after: PageCursor,
    max_rows: int,
    max_identities: int,
) -> AnswerPage:
    """List one page of the callers that can make a call, from a cursor on.

    Position 0 holds outside callers; then come all identities once per grade, and
    services last.

    Args:
        query: Evaluates callers.
        identity_count: Number of identities.
        after: Cursor.
        max_rows: Most answers.
        max_identities: Most identities to evaluate.
    """
    end = 1 + identity_count * len(IDENTITY_GRADES)
    found: list[ReachAnswer] = []
    gone = 0
    if after.way == 0:
        leading = query.list_outside_callers()[0]
        found += leading[after.row : after.row + max_rows]
        if after.row + len(found) < len(leading):
            return AnswerPage(tuple(found), PageCursor(0, after.row + len(found)), 0)
    for number, grades in enumerate(IDENTITY_GRADES):
        first = max(0, after.way - 1 - number * identity_count)
        if first >= identity_count:
            continue
        for place, reply in query.iterate_answers_of_identities(grades, first):
            if len(found) == max_rows or gone == max_identities:
                return AnswerPage(
                    tuple(found), PageCursor(1 + number * identity_count + place), gone
                )
            found += [reply] if reply else []
            gone += 1
    last = query.list_outside_callers()[1]
    row = after.row if after.way >= end else 0
    shown = last[row : row + max_rows - len(found)]
    rest = row + len(shown) < len(last)
    on = PageCursor(end, row + len(shown)) if rest else None
    return AnswerPage((*found, *shown), on, gone)


@dataclass(frozen=True, slots=True)
class FirstCallers:
    """First callers of a list.

    Attributes:
        replies: In order, the most severe first.
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
    ranking: CallerRanking,
    max_callers: int,
) -> FirstCallers:
    """List the first callers that can make a call; only count the others.

    For a pattern every caller is evaluated; else the search stops after the last one
    listed.
    """
    count, asked = _iterate_candidate_callers(
        graph, action, resource, ranking, direct=direct
    )
    found: list[ReachAnswer] = []
    done = 0
    for reply in asked:
        done += 1
        found += [reply] if reply and reply.formula != FALSE else []
        if len(found) == max_callers:
            break
    return FirstCallers(tuple(found), done, count)


def _iterate_candidate_callers(
    graph: IdentityGraph,
    action: str,
    resource: str,
    ranking: CallerRanking,
    *,
    direct: bool,
) -> tuple[int, Iterator[ReachAnswer | None]]:
    """Return the number of candidate callers, and an iterator of their answers."""
    if is_pattern_question(graph.accounts, action, resource):
        every = list(
            list_all_callers_by_severity(
                graph, action, resource, direct=direct, ranking=ranking
            )
        )
        return len(every), iter(every)
    if not direct:
        makers = list_lazy_caller_answers(graph, action, resource, ranking)
        return len(makers), (make() for make in makers)
    asking = build_caller_query(graph, action, resource, ranking, direct=True)
    leading, last = asking.list_outside_callers()
    identities = sum(
        1 for _ in list_candidate_callers(graph.accounts, action, resource)
    )

    def ask_all() -> Iterator[ReachAnswer | None]:
        yield from leading
        for grades in IDENTITY_GRADES:
            yield from (
                reply for _, reply in asking.iterate_answers_of_identities(grades)
            )
        yield from last

    return len(leading) + identities + len(last), ask_all()


class _ReachPager:
    """Pager over the rows of a subject."""

    def __init__(
        self, graph: IdentityGraph, subject: IdentityId, row_filter: RowFilter
    ) -> None:
        self._graph, self._start, self._wanted = graph, subject, row_filter
        self._ruled: set[str] = set()
        self._told: set[tuple[object, ...]] = set()

    def list_permission_row_page(
        self,
        paths: Iterator[ReachPath],
        after: PageCursor,
        max_rows: int,
        max_identities: int,
    ) -> AnswerPage:
        """List one page of rows over some paths, from a cursor on."""
        found: list[ReachAnswer] = []
        gone = 0
        for number, way in enumerate(paths):
            if self._is_covered_by_administrator(way) or number < after.way:
                continue
            if gone == max_identities:
                return AnswerPage(tuple(found), PageCursor(number), gone)
            first = after.row if number == after.way else 0
            for at, row in enumerate(
                islice(self._list_rows_at_path_end(way), first, None), first
            ):
                if len(found) == max_rows:
                    return AnswerPage(tuple(found), PageCursor(number, at), gone + 1)
                reply = build_answer_for_row(
                    self._graph, self._start, way, row, self._told
                )
                found += [reply] if reply else []
            gone += 1
        return AnswerPage(tuple(found), None, gone)

    def _list_rows_at_path_end(self, path: ReachPath) -> Iterator[PermissionRow]:
        """List the permissions of the identity that a path ends at."""
        from answerable.reach.aws.permission_rows.callable_rows import (
            list_callable_rows,
        )

        return list_callable_rows(
            self._graph, self._graph.get_principal(path.target), self._wanted
        )

    def _is_covered_by_administrator(self, path: ReachPath) -> bool:
        """Return whether an earlier administrator's rows cover those of a path."""
        account = self._graph.get_principal(path.target).identity.account
        if account in self._ruled and path.step_count:
            return True
        if self._graph.is_administrator(path.target) and path.certain:
            self._ruled.add(account)
        return False
