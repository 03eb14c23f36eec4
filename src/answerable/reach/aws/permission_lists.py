"""List permissions of AWS identities, and the callers of one call, whole or by page."""

import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from itertools import islice

from answerable.model.documents.shared_shapes import PathItem, ReachItem, TruncationItem
from answerable.model.ids import IdentityId
from answerable.reach.acting_agents import rank_by_agents
from answerable.reach.answer_items import build_item_without_statements
from answerable.reach.aws import answer_items, subject_answers, subject_queries
from answerable.reach.aws.answer_coverage import depends_on_unread_statements
from answerable.reach.aws.answer_pagination import (
    PageCursor,
    count_reachable_identities,
    format_page_cursor,
    list_callers_page,
    list_first_callers,
    list_reach_page,
    parse_page_cursor,
)
from answerable.reach.aws.call_parsing import (
    is_pattern_question,
    parse_permission_filter,
)
from answerable.reach.aws.compiled.uncollected_allows import rests_on_uncollected_allow
from answerable.reach.aws.compiled_graph import load_snapshot_summary
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.identity_resolution import AWS, explain_unscanned_accounts
from answerable.reach.aws.patterns.glob_matching import has_no_wildcard
from answerable.reach.aws.permission_rows.row_types import build_action_formatter
from answerable.reach.aws.query_context import (
    NO_IDENTITY,
    QueryContext,
    list_missing_data_for_answers,
    list_missing_data_of_list,
    mark_verdict_of_unknown_action,
)
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import (
    build_caller_query,
    list_all_callers_by_severity,
)
from answerable.reach.condition_formula import Verdict
from answerable.reach.platform import (
    Answer,
    AnswerList,
    PageBounds,
    Question,
    SubjectIdentity,
    UnknownSubject,
)

# The identities that may tag a resource are computed once per row; `can` lists them.
_MOST_EXPLAINED = 500
# Each tag examines all identities, which is too slow for a page of a list.
_MOST_ASKED = 2_000
_MOST_AT_ONCE = 4_000
_MOST_ON_PATTERN = 250


def list_identity_permissions(
    query: QueryContext, question: Question, page: PageBounds
) -> AnswerList:
    """List the actions and resources that some identities can use.

    Raises:
        UsageError: No action or resource can match, or the cursor is malformed.
    """
    unknown = [] if page.cursor else list(_list_not_known_rows(question))
    if page.rows:
        return _list_permissions_page(query, question, page, unknown)
    wanted = parse_permission_filter(
        query.inventory, query.host.load_catalogue, question.action, question.resource
    )
    replies: list[ReachAnswer] = []
    for start in question.identities:
        page.progress(len(replies), 0, "rows")
        rows = subject_queries.iterate_subject_rows(
            query.graph, start.identity, wanted, direct=query.direct
        )
        replies += subject_answers.prepend_subject_to_rows(start, rows)
    return _build_permission_list(query, question, replies, unknown)


def _list_not_known_rows(question: Question) -> Iterator[Answer]:
    """Yield a `not-known` row for each identity without permission data."""
    for start in question.identities:
        if start.unknown:
            path = [answer_items.build_path_item(hop) for hop in start.hops]
            yield _build_not_known_answer(
                question, question.subject, start.unknown, path=path
            )


def _list_permissions_page(
    query: QueryContext, question: Question, page: PageBounds, unknown: list[Answer]
) -> AnswerList:
    """List one page of the permissions of some identities, with bounded work.

    Args:
        unknown: Rows of unknown identities; the first page has them, as the length of
            the rest is not known.
    """
    wanted = parse_permission_filter(
        query.inventory, query.host.load_catalogue, question.action, question.resource
    )
    first, place = parse_page_cursor(page.cursor or "")
    rows = max(1, page.rows - len(unknown))
    most = page.identities or sys.maxsize
    replies: list[ReachAnswer] = []
    examined = 0
    starts = question.identities
    for number, start in list(enumerate(starts))[first:]:
        if len(replies) == rows or examined >= most:
            break
        got = list_reach_page(
            query.graph,
            start.identity,
            wanted,
            direct=query.direct,
            after=place,
            max_rows=rows - len(replies),
            max_identities=most - examined,
        )
        replies += subject_answers.prepend_subject_to_rows(start, got.replies)
        examined += got.ways
        first, place = (number, got.after) if got.after else (number + 1, PageCursor())
    ended = first >= len(starts)
    tagging = len(query.compiled_accounts.principals) <= _MOST_ASKED
    found = _build_permission_list(query, question, replies, unknown, tagging=tagging)
    shown = None
    if page.cursor or not ended:
        shown = _count_examined_identities(
            query, starts, len(found.answers), first, place
        )
    cursor = "" if ended else format_page_cursor(first, place)
    return replace(found, cursor=cursor, examined=examined, shown=shown)


def _count_examined_identities(
    query: QueryContext,
    starts: Sequence[SubjectIdentity],
    rows: int,
    first: int,
    position: PageCursor,
) -> TruncationItem:
    """Count, for a truncated page, the identities examined and those reachable.

    Args:
        rows: Number of shown rows.
        first: Index of the identity at which the list continues.
    """
    counts = [
        count_reachable_identities(query.graph, each.identity, direct=query.direct)
        for each in starts
    ]
    done = sum(counts[:first])
    if first < len(counts):
        done += min(position.way + (position.row > 0), counts[first])
    return TruncationItem(rows=rows, what="identities", done=done, of=sum(counts))


def list_callers_of_call(
    query: QueryContext, question: Question, page: PageBounds
) -> AnswerList:
    """List the callers that can make one call, whole or a part.

    Raises:
        UsageError: The cursor is malformed.
    """
    graph, ranking = query.graph, rank_by_agents(query.inventory)
    action, resource, direct = question.action, question.resource, query.direct
    if page.cursor is not None:
        return _list_callers_page(query, question, page)
    if not page.rows:
        found = list_all_callers_by_severity(
            graph, action, resource, direct=direct, ranking=ranking
        )
        return _build_caller_list(query, question, list(found), is_last_page=True)
    first = list_first_callers(
        graph,
        action,
        resource,
        direct=direct,
        ranking=ranking,
        max_callers=page.rows,
    )
    ended = first.done == first.of
    listed = _build_caller_list(
        query,
        question,
        first.replies,
        tagging=ended or len(query.compiled_accounts.principals) <= _MOST_ASKED,
        is_last_page=True,
    )
    shown = TruncationItem(
        rows=len(first.replies), what="callers", done=first.done, of=first.of
    )
    return replace(listed, shown=None if ended else shown)


def _list_callers_page(
    query: QueryContext, question: Question, page: PageBounds
) -> AnswerList:
    """List one page of the callers that can make one call."""
    _, place = parse_page_cursor(page.cursor or "")
    some, on, examined = _find_permitted_identities(query, question, place, page.rows)
    listed = _build_caller_list(
        query,
        question,
        some,
        tagging=len(query.compiled_accounts.principals) <= _MOST_ASKED,
        is_last_page=on is None,
    )
    cursor = format_page_cursor(0, on) if on else ""
    return replace(listed, cursor=cursor, examined=examined)


def _find_permitted_identities(
    query: QueryContext, question: Question, position: PageCursor, rows: int
) -> tuple[Sequence[ReachAnswer], PageCursor | None, int]:
    """Find a page of identities that can call, the next cursor, the number examined."""
    graph, ranking = query.graph, rank_by_agents(query.inventory)
    call, direct = (question.action, question.resource), query.direct
    pattern = is_pattern_question(query.compiled_accounts, *call)
    if direct or pattern:
        got = list_callers_page(
            build_caller_query(graph, *call, ranking, direct=direct),
            len(query.compiled_accounts.principals),
            after=position,
            max_rows=rows,
            max_identities=_MOST_ON_PATTERN if pattern else _MOST_AT_ONCE,
        )
        return got.replies, got.after, got.ways
    found = list_all_callers_by_severity(graph, *call, direct=False, ranking=ranking)
    some = list(islice(found, position.row, position.row + rows + 1))
    on = PageCursor(0, position.row + rows) if len(some) > rows else None
    return some[:rows], on, len(query.compiled_accounts.principals)


def _build_caller_list(
    query: QueryContext,
    question: Question,
    answers: Sequence[ReachAnswer],
    *,
    tagging: bool = True,
    is_last_page: bool,
) -> AnswerList:
    """Build the rows of some callers, with unknown identities at the end."""
    call = question.action, question.resource
    unknown = (
        list_uncollected_identities(query)
        if query.compiled_accounts.get_cached_request(*call)
        else []
    )
    open_ids = {each.id for each in unknown}
    replies = [
        mark_verdict_of_unknown_action(query, reply, question.action)
        for reply in answers
        if reply.subject not in open_ids
        or not rests_on_uncollected_allow(reply.formula)
    ]
    listed = [answer_items.build_call_answer_item(reply, *call) for reply in replies]
    named = {item["subject"] for item in listed}
    last = [
        _build_not_known_answer(question, each.id, each)
        for each in unknown
        if is_last_page and each.id not in named
    ]
    return _build_document_list_of_answers(
        query, question, replies, listed, last, tagging=tagging
    )


def list_uncollected_identities(query: QueryContext) -> list[UnknownSubject]:
    """List the AWS identities whose permissions were not collected.

    Without a scanned account and a named identity, one pattern represents all of
    them.
    """
    found = load_snapshot_summary(query.inventory, query.graph).unknown
    of_aws = [each.subject for each in found if each.subject.source == AWS]
    every = explain_unscanned_accounts(query.compiled_accounts)
    return of_aws if of_aws or every is None else [every]


def _build_permission_list(
    query: QueryContext,
    question: Question,
    answers: Sequence[ReachAnswer],
    unknown: Sequence[Answer],
    *,
    tagging: bool = True,
) -> AnswerList:
    """Build the rows of some permissions, with their missing data."""
    accounts, action = query.compiled_accounts, question.action
    spelled = build_action_formatter(accounts.catalogue, accounts.written, action)
    answers = [
        _mark_answer_with_unknown_action(query, reply, spelled) for reply in answers
    ]
    listed = [
        answer_items.build_permission_row_item(reply, spelled) for reply in answers
    ]
    who = [start.identity for start in question.identities]
    return _build_document_list_of_answers(
        query, question, answers, listed, unknown, who, tagging=tagging
    )


def _build_document_list_of_answers(
    query: QueryContext,
    question: Question,
    answers: Sequence[ReachAnswer],
    items: list[ReachItem],
    unknown: Sequence[Answer],
    subjects: Iterable[IdentityId] = (NO_IDENTITY,),
    *,
    tagging: bool,
) -> AnswerList:
    """Build a list from answers and their items, with its missing data.

    Args:
        unknown: Last rows, of unknown identities.
        subjects: Subjects of the list; empty for all identities.
        tagging: Whether to add the identities that may set required tags.
    """
    if tagging and len(items) <= _MOST_EXPLAINED:
        explainer = TagExplainer(query.graph)
        pairs = zip(answers, items, strict=True)
        items = [
            explainer.add_tag_setters_to_answer(reply, item) for reply, item in pairs
        ]
    missing = list_missing_data_for_answers(
        query,
        list(zip(answers, items, strict=True)),
        question.action,
        question.resource,
        subjects,
    )
    return AnswerList(
        (*map(Answer, items), *unknown),
        list_missing_data_of_list(query, answers, missing),
        depends_on_unread_statements(answers),
    )


def _build_not_known_answer(
    question: Question,
    subject: str,
    unknown: UnknownSubject,
    path: Sequence[PathItem] = (),
) -> Answer:
    """Build a `not-known` row for a subject whose policies were not collected."""
    call = question.action, question.resource
    item = build_item_without_statements(subject, *call, Verdict.NOT_KNOWN, path)
    return Answer(item, (unknown,))


def _mark_answer_with_unknown_action(
    query: QueryContext, answer: ReachAnswer, format_action: Callable[[str], str]
) -> ReachAnswer:
    """Mark the verdict of a row as open if the catalogue does not know its action."""
    if answer.row is None or not has_no_wildcard(answer.row.actions.pattern):
        return answer
    return mark_verdict_of_unknown_action(
        query, answer, format_action(answer.row.actions.pattern)
    )
