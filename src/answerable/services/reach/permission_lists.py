"""List permissions of a subject (`reach`) and identities that can call (`who-can`)."""

import sys
from collections.abc import Callable, Sequence
from itertools import islice

from answerable.model.connector import ignore_progress
from answerable.model.documents.core import (
    Document,
    ReachItem,
    TruncationItem,
)
from answerable.presentation.command_hints import format_command
from answerable.reach import answer_items, subject_identities
from answerable.reach.acting_agents import list_agents_through, rank_by_agents
from answerable.reach.aws import subject_queries
from answerable.reach.aws.answer_pages import (
    PageCursor,
    count_identities,
    list_callers_page,
    list_first_callers,
    list_reach_page,
)
from answerable.reach.aws.condition_keys.tag_explanations import TagExplainer
from answerable.reach.aws.patterns.glob_matching import is_literal
from answerable.reach.aws.permission_rows.row_types import build_action_formatter
from answerable.reach.aws.resource_pattern_answers import is_pattern_question
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import build_caller_query
from answerable.reach.aws.who_can import list_who_can as who_can_in
from answerable.reach.unknown_subjects import rests_on_uncollected_allow
from answerable.services.reach.call_parsing import parse_call, parse_permission_filter
from answerable.services.reach.permission_list_cursor import (
    PermissionPage,
    format_cursor,
    parse_cursor,
)
from answerable.services.reach.query_context import (
    QueryContext,
    build_query_coverage,
    list_missing_data,
    mark_unknown_action,
)
from answerable.services.reach.subject_resolution import resolve_subject
from answerable.services.reach.unknown_verdict_rows import (
    build_unknown_row,
    build_unknown_rows,
    describe_search_scope,
    list_identities_not_collected,
    suggest_scan_command,
)

# The identities that may tag a resource are computed once per row; `can` lists them.
_MOST_EXPLAINED = 500
# Each tag examines all identities, which is too slow for a page of a list.
_MOST_ASKED = 2_000
_MOST_AT_ONCE = 4_000
_MOST_ON_PATTERN = 250
Progress = Callable[[int, int, str], None]


def list_permissions(
    query: QueryContext,
    subject: str,
    *,
    resource: str = "*",
    action: str = "*",
    limit: int = 0,
    progress: Progress = ignore_progress,
) -> Document:
    """List the actions and resources that a subject can use.

    Raises:
        UsageError: The subject is not known.
    """
    if limit:
        listed = list_permissions_page(
            query,
            subject,
            resource=resource,
            action=action,
            rows=limit,
            max_paths=sys.maxsize,
        )
        return listed.document_with_counts
    inventory, direct = query.inventory, query.direct
    name = resolve_subject(inventory, subject)
    found = subject_identities.find_subject_identities(query.graph, inventory, name)
    wanted = parse_permission_filter(query, action, resource)
    replies: list[ReachAnswer] = []
    for start in found.starts:
        progress(len(replies), 0, "rows")
        rows = subject_queries.iterate_reach(
            query.graph, start.identity, wanted, direct=direct
        )
        replies += subject_identities.prepend_subject_to_rows(start, rows)
    unknown = build_unknown_rows(query, found, name, action, resource)
    return _build_permission_document(
        query, found, replies, action, resource, unknown=unknown
    )


def _count_examined_identities(
    query: QueryContext,
    identities: subject_identities.SubjectIdentities,
    rows: int,
    first: int,
    position: PageCursor,
) -> TruncationItem:
    """Count the examined and the reachable identities of a page.

    Args:
        identities: Identities of the subject.
        rows: Number of shown rows.
        first: Index of the identity at which the list continues.
    """
    counts = [
        count_identities(query.graph, each.identity, direct=query.direct)
        for each in identities.starts
    ]
    done = sum(counts[:first])
    if first < len(counts):
        done += min(position.way + (position.row > 0), counts[first])
    return TruncationItem(rows=rows, what="identities", done=done, of=sum(counts))


def list_permissions_page(
    query: QueryContext,
    subject: str,
    *,
    resource: str = "*",
    action: str = "*",
    after: str = "",
    rows: int = 200,
    max_paths: int = 25,
) -> PermissionPage:
    """List one page of the permissions of a subject, with bounded work.

    Args:
        subject: Agent, identity or credential: id, ARN or unambiguous name.
        resource: Only rows that could touch a resource matching this glob.
        action: Only rows that could be an action matching this glob.
        after: Cursor, empty for the beginning.
        max_paths: Most identities to examine.

    Raises:
        UsageError: As for `list_permissions`; or the cursor is malformed.
    """
    name = resolve_subject(query.inventory, subject)
    found = subject_identities.find_subject_identities(
        query.graph, query.inventory, name
    )
    wanted = parse_permission_filter(query, action, resource)
    first, place = parse_cursor(after)
    # The first part lists unknowns, as the length of the rest is not known.
    unknown = [] if after else build_unknown_rows(query, found, name, action, resource)
    rows = max(1, rows - len(unknown))
    replies: list[ReachAnswer] = []
    gone = 0
    for number, start in list(enumerate(found.starts))[first:]:
        if len(replies) == rows or gone >= max_paths:
            break
        got = list_reach_page(
            query.graph,
            start.identity,
            wanted,
            direct=query.direct,
            after=place,
            max_rows=rows - len(replies),
            max_identities=max_paths - gone,
        )
        replies += subject_identities.prepend_subject_to_rows(start, got.replies)
        gone += got.ways
        first, place = (number, got.after) if got.after else (number + 1, PageCursor())
    tagging = len(query.compiled_accounts.principals) <= _MOST_ASKED
    ended = first >= len(found.starts)
    document = _build_permission_document(
        query,
        found,
        replies,
        action,
        resource,
        explain_tagging=tagging,
        unknown=unknown,
    )
    shown = None
    if after or not ended:
        shown = _count_examined_identities(
            query, found, len(document.items), first, place
        )
    return PermissionPage(
        document, "" if ended else format_cursor(first, place), gone, shown
    )


def list_permitted_identities(
    query: QueryContext, action: str, resource: str, *, limit: int = 0
) -> Document:
    """List all identities that can make one call.

    Raises:
        UsageError: Action or resource are not known.
    """
    spelled, target = parse_call(query, action, resource)
    if limit:
        return _list_first_permitted(query, spelled, target, limit)
    found = who_can_in(
        query.graph,
        spelled,
        target,
        direct=query.direct,
        ranking=rank_by_agents(query.inventory),
    )
    return _build_who_can_document(
        query, list(found), spelled, target, is_last_page=True
    )


def _list_first_permitted(
    query: QueryContext, action: str, resource: str, limit: int
) -> Document:
    """List the first identities that can call, and all whose verdict is not known."""
    first = list_first_callers(
        query.graph,
        action,
        resource,
        direct=query.direct,
        ranking=rank_by_agents(query.inventory),
        max_callers=limit,
    )
    ended = first.done == first.of
    tagging = ended or len(query.compiled_accounts.principals) <= _MOST_ASKED
    document = _build_who_can_document(
        query,
        first.replies,
        action,
        resource,
        explain_tagging=tagging,
        is_last_page=True,
    )
    rows = len(first.replies)
    shown = TruncationItem(rows=rows, what="callers", done=first.done, of=first.of)
    return PermissionPage(
        document, "", shown=None if ended else shown
    ).document_with_counts


def list_permitted_identities_page(
    query: QueryContext, action: str, resource: str, *, after: str = "", rows: int = 100
) -> PermissionPage:
    """List one page of the identities that can make one call.

    Args:
        action: `service:Action` in any case.
        resource: ARN, `s3://` URI, `*`, or an ARN with wildcards: then all of it.
        after: Cursor, empty for the beginning.

    Raises:
        UsageError: As for `list_permitted_identities`; or the cursor is malformed.
    """
    spelled, target = parse_call(query, action, resource)
    _, place = parse_cursor(after)
    some, on, gone = _find_permitted_identities(query, spelled, target, place, rows)
    tagging = len(query.compiled_accounts.principals) <= _MOST_ASKED
    document = _build_who_can_document(
        query, some, spelled, target, explain_tagging=tagging, is_last_page=on is None
    )
    return PermissionPage(document, format_cursor(0, on) if on else "", gone)


def _find_permitted_identities(
    query: QueryContext, action: str, resource: str, position: PageCursor, rows: int
) -> tuple[Sequence[ReachAnswer], PageCursor | None, int]:
    """Find a page of identities that can call, the next cursor, the number examined."""
    graph, gravity = query.graph, rank_by_agents(query.inventory)
    direct, pattern = (
        query.direct,
        is_pattern_question(query.compiled_accounts, action, resource),
    )
    if direct or pattern:
        got = list_callers_page(
            build_caller_query(graph, action, resource, gravity, direct=direct),
            len(query.compiled_accounts.principals),
            after=position,
            max_rows=rows,
            max_identities=_MOST_ON_PATTERN if pattern else _MOST_AT_ONCE,
        )
        return got.replies, got.after, got.ways
    found = who_can_in(graph, action, resource, direct=False, ranking=gravity)
    some = list(islice(found, position.row, position.row + rows + 1))
    on = PageCursor(0, position.row + rows) if len(some) > rows else None
    return some[:rows], on, len(query.compiled_accounts.principals)


def _build_permission_document(
    query: QueryContext,
    identities: subject_identities.SubjectIdentities,
    answers: Sequence[ReachAnswer],
    action: str,
    resource: str,
    *,
    explain_tagging: bool = True,
    unknown: Sequence[ReachItem] = (),
) -> Document:
    """Build the output document of `reach`: permissions, coverage, next command."""
    accounts = query.compiled_accounts
    spelled = build_action_formatter(accounts.catalogue, accounts.written, action)
    answers = [_mark_unknown_action(query, reply, spelled) for reply in answers]
    listed = [answer_items.build_reach_item(reply, spelled) for reply in answers]
    listed = _explain_tagging(query, answers, listed, explain_tagging)
    pairs = list(zip(answers, listed, strict=True))
    who = [start.identity for start in identities.starts]
    absent = list_missing_data(query, pairs, action, resource, who)
    absent |= set(identities.not_collected)
    return Document(
        kind="reach",
        items=[*listed, *unknown],
        coverage=build_query_coverage(query, answers, absent),
        next=_suggest_next(listed) or suggest_scan_command(identities.unknown),
    )


def _build_who_can_document(
    query: QueryContext,
    answers: Sequence[ReachAnswer],
    action: str,
    resource: str,
    *,
    explain_tagging: bool = True,
    is_last_page: bool,
) -> Document:
    """Build the output document of `who-can`, with unknown identities at the end."""
    unknown = (
        list_identities_not_collected(query)
        if query.compiled_accounts.get_request(action, resource)
        else []
    )
    open_ids = {each.id for each in unknown}
    answers = [
        reply
        for reply in answers
        if reply.subject not in open_ids
        or not rests_on_uncollected_allow(reply.formula)
    ]
    replies = [mark_unknown_action(query, reply, action) for reply in answers]
    listed = [
        answer_items.build_permission_item(reply, action, resource) for reply in replies
    ]
    for item in listed:
        item["agents"] = list_agents_through(query.inventory, item["subject"])
    listed = _explain_tagging(query, replies, listed, explain_tagging)
    pairs = list(zip(replies, listed, strict=True))
    absent = list_missing_data(query, pairs, action, resource)
    coverage = build_query_coverage(query, replies, absent)
    coverage["looked"] = describe_search_scope(query)
    named = {item["subject"] for item in listed}
    more = [each for each in unknown if is_last_page and each.id not in named]
    rows = [
        build_unknown_row(query.inventory, each.id, action, resource, each)
        for each in more
    ]
    following = (
        format_command("can", listed[0]["subject"], action, resource) if listed else ""
    )
    return Document(
        kind="who-can",
        items=[*listed, *rows],
        coverage=coverage,
        next=following or suggest_scan_command(unknown),
    )


def _explain_tagging(
    query: QueryContext,
    answers: Sequence[ReachAnswer],
    items: list[ReachItem],
    explain_tagging: bool,
) -> list[ReachItem]:
    """Add the identities that may set required tags, unless the list is very long."""
    if len(items) > _MOST_EXPLAINED or not explain_tagging:
        return items
    told = TagExplainer(query.graph)
    pairs = zip(answers, items, strict=True)
    return [told.explain(reply, item) for reply, item in pairs]


def _mark_unknown_action(
    query: QueryContext, answer: ReachAnswer, spell_action: Callable[[str], str]
) -> ReachAnswer:
    """Mark the verdict of a row as open if the catalogue does not know its action."""
    if answer.row is None or not is_literal(answer.row.actions.pattern):
        return answer
    return mark_unknown_action(query, answer, spell_action(answer.row.actions.pattern))


def _suggest_next(items: Sequence[ReachItem]) -> str:
    """Suggest the `who-can` command for a row with a single action."""
    for item in items:
        if not set("*? ") & set(item["action"]) and " " not in item["resource"]:
            return format_command("who-can", item["action"], item["resource"])
    return ""
