"""A list by parts is the list: nothing left out, and nothing that is not there."""

from typing import cast

import pytest

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.documents.shared_shapes import ReachItem
from answerable.model.errors import UsageError
from answerable.model.ids import IdentityId
from answerable.reach.aws import subject_queries
from answerable.reach.aws.answer_pagination import (
    PageCursor,
    list_callers_page,
    list_first_callers,
    list_reach_page,
)
from answerable.reach.aws.compiled.account_compiler import compile_accounts
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.aws.permission_rows.row_types import parse_row_filter
from answerable.reach.aws.subject_queries import ReachAnswer
from answerable.reach.aws.who_can import (
    build_caller_query,
    list_all_callers_by_severity,
)
from answerable.reach.caller_ranking import NO_AGENT_RANKING
from answerable.usecases.reach import permissions as flow
from bench.organization.generator import generate_organization
from tests.reach.test_reach_commands import NOW, RED, pipeline, rows

EVERYTHING = parse_row_filter("*", "*")


@pytest.fixture(scope="module")
def estate() -> CompiledAccounts:
    catalogue = load_catalogue()
    return compile_accounts(generate_organization(60, 7, catalogue).facts, catalogue)


def by_parts(
    graph: IdentityGraph,
    subject: IdentityId,
    most_rows: int,
    most_ways: int,
    direct: bool,
) -> list[ReachAnswer]:
    found: list[ReachAnswer] = []
    place: PageCursor | None = PageCursor()
    while place is not None:
        got = list_reach_page(
            graph,
            subject,
            EVERYTHING,
            direct=direct,
            after=place,
            max_rows=most_rows,
            max_identities=most_ways,
        )
        assert len(got.replies) <= most_rows
        assert got.ways <= most_ways + 1
        assert got.after is None or got.after > place
        found += got.replies
        place = got.after
    return found


def told(reply: ReachAnswer) -> tuple[object, ...]:
    return reply.actor, reply.row, reply.formula, reply.path


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(("most_rows", "most_ways"), [(3, 9), (7, 2), (40, 1)])
def test_parts_put_together_hold_what_the_list_holds(
    estate: CompiledAccounts, most_rows: int, most_ways: int, direct: bool
) -> None:
    graph = IdentityGraph(estate)
    for subject in sorted(estate.principals)[::23]:
        whole = list(
            subject_queries.iterate_subject_rows(
                graph, subject, EVERYTHING, direct=direct
            )
        )
        if len(whole) > 400:
            continue
        parts = by_parts(graph, subject, most_rows, most_ways, direct)
        # Only a row that held for sure before may come again, by a longer path.
        assert {told(reply) for reply in whole} <= {told(reply) for reply in parts}
        assert {spoken(graph, reply) for reply in parts} == {
            spoken(graph, reply) for reply in whole
        }


def spoken(graph: IdentityGraph, reply: ReachAnswer) -> tuple[object, ...]:
    row = reply.row
    assert row is not None
    account = graph.accounts.principals[reply.actor].identity.account
    return account, row.actions, row.resources, row.shown


def test_a_part_of_a_subject_goes_on_where_the_last_one_ended() -> None:
    whole = rows(pipeline().inventory(), "ci")
    found: list[ReachItem] = []
    after = ""
    for _ in range(20):
        got = flow.list_subject_permissions_page(
            pipeline().inventory(), "ci", now=NOW, cursor=after, max_rows=2
        )
        found += cast(list[ReachItem], got.document.items)
        after = got.after
        if not after:
            break
    assert found == whole


def test_everybody_who_can_comes_by_parts_too() -> None:
    inventory, question = pipeline().inventory(), ("s3:GetObject", RED)
    whole = flow.list_who_can(inventory, *question, now=NOW).items
    first = flow.list_who_can_page(inventory, *question, now=NOW, max_rows=1)
    rest = flow.list_who_can_page(inventory, *question, now=NOW, cursor=first.after)
    assert len(whole) > 1
    assert [*first.document.items, *rest.document.items] == list(whole)
    assert (bool(first.after), rest.after) == (True, "")


@pytest.mark.parametrize(
    "cursor", ["x", "1.2", "0.0.-1", "0.0.٣", "0.0.1\n", "1e3.0.0"]
)
def test_a_cursor_that_was_not_given_is_refused(cursor: str) -> None:
    with pytest.raises(UsageError, match="invalid page cursor"):
        flow.list_subject_permissions_page(
            pipeline().inventory(), "ci", now=NOW, cursor=cursor
        )


def test_what_resources_grant_is_not_looked_for_before_it_is_shown(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(
        "answerable.reach.aws.permission_rows.principal_rows.list_resource_policy_rows",
        pytest.fail,
    )
    got = flow.list_subject_permissions_page(
        pipeline().inventory(), "ci", now=NOW, max_rows=1
    )
    assert (len(got.document.items), got.after) == (1, "0.0.1")


@pytest.mark.parametrize(
    ("action", "resource"),
    [("iam:PassRole", "*"), ("s3:GetObject", "*"), ("s3:GetObject", "arn:aws:s3:::*")],
)
def test_each_asked_by_itself_gives_whom_the_list_gives(
    estate: CompiledAccounts, action: str, resource: str
) -> None:
    graph = IdentityGraph(estate)
    whole = list(list_all_callers_by_severity(graph, action, resource, direct=True))
    found: list[ReachAnswer] = []
    place: PageCursor | None = PageCursor()
    while place is not None:
        asking = build_caller_query(
            graph, action, resource, NO_AGENT_RANKING, direct=True
        )
        count = len(graph.accounts.principals)
        got = list_callers_page(
            asking, count, after=place, max_rows=3, max_identities=5
        )
        assert len(got.replies) <= 3
        assert got.ways <= 5
        found += got.replies
        place = got.after
    assert whole
    assert found == whole


def test_who_can_of_very_many_asks_a_few_at_a_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("answerable.reach.aws.permission_lists._MOST_AT_ONCE", 1)
    inventory, question = pipeline().inventory(), ("sts:GetCallerIdentity", "*")
    whole = flow.list_who_can(inventory, *question, now=NOW, direct=True).items
    found: list[object] = []
    after, pages = "", 0
    while after or not pages:
        got = flow.list_who_can_page(
            inventory, *question, now=NOW, direct=True, cursor=after
        )
        found += got.document.items
        after, pages = got.after, pages + 1
    assert pages >= 2
    assert found == list(whole)


@pytest.mark.parametrize("direct", [False, True])
@pytest.mark.parametrize(
    ("action", "resource"),
    [("s3:GetObject", "arn:aws:s3:::b/k"), ("iam:CreateUser", "*")],
)
def test_a_limited_list_begins_the_whole_one_and_counts_the_rest(
    estate: CompiledAccounts, direct: bool, action: str, resource: str
) -> None:
    graph = IdentityGraph(estate)
    whole = list(list_all_callers_by_severity(graph, action, resource, direct=direct))
    for most in (1, len(whole), len(whole) + 1):
        got = list_first_callers(
            graph,
            action,
            resource,
            direct=direct,
            ranking=NO_AGENT_RANKING,
            max_callers=most,
        )
        assert [told(r) for r in got.replies] == [told(r) for r in whole[:most]]
        assert len(whole) - len(got.replies) <= got.of - got.done
    assert len(whole) > 1


def test_a_limited_list_holds_everyone_of_whom_it_is_not_known() -> None:
    inventory, question = pipeline().inventory(), ("s3:GetObject", RED)
    whole = flow.list_who_can(inventory, *question, now=NOW)
    cut = flow.list_who_can(inventory, *question, now=NOW, limit=1)
    unknown = [each for each in whole.items if each["verdict"] == "not-known"]
    assert cut.items == [whole.items[0], *unknown]
    count = len(whole.items) - len(unknown)
    shown = {"rows": 1, "what": "callers", "done": 1, "of": count}
    assert cut.coverage["shown"] == shown
    assert cut.coverage["looked"] == whole.coverage["looked"]
    assert (
        "shown"
        not in flow.list_who_can(inventory, *question, now=NOW, limit=9).coverage
    )
