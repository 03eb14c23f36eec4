"""What can it reach, who can do it, and why: on pages, and as a graph."""

import json
from dataclasses import replace

import pytest

from answerable.model.documents.shared_shapes import (
    Document,
    PermissionCheckItem,
    ReachItem,
)
from answerable.services.reach.permission_list_cursor import PermissionPage
from answerable.usecases.reach import permissions as flow
from answerable.web.http.errors import RequestRejected
from answerable.web.pages.reach import answer_rows, path_graph
from answerable.web.pages.reach.question import ReachQuestion
from answerable.web.routing import DocumentAnswer, PageAnswer
from answerable.web.store_cache import StoreCache
from answerable.web.svg.path_diagram import DiagramEdge, DiagramNode, draw_paths
from answerable.web.visitor import Visitor, WebRole
from tests.web.conftest import answer, shown, visitor
from tests.web.markup_checks import HOSTILE, markup_faults

REPORTER = "agent:claude-code/ana/reporter"
SECRET = "s3://example-customer-data/a"
CALL = {"action": "s3:GetObject", "resource": SECRET}


def test_what_an_agent_can_reach_stands_under_the_path_that_leads_there(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/reach", subject=REPORTER)
    assert "tool:mcp/warehouse/*" in html
    # Its shell acts as the reader at once, its server as the user that may assume it.
    server = html.index("tool:mcp/warehouse/*")
    assert html.index("user/report-bot", server) < html.index(
        "role/data-reader", server
    )
    for word in ("●", "always", "only-if", "s3:GetObject, s3:PutObject", "+assumes"):
        assert word in html
    assert "SCPs" in html or "more not collected" in html
    assert '<svg class="drawn paths"' in html
    assert "/can?subject=agent" in html


def test_an_answer_has_its_proof_with_statements_as_written(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/can", subject=REPORTER, **CALL)
    assert "sts:AssumeRole" in html
    assert "Allow Action [s3:GetObject, s3:ListBucket]" in html
    assert "assuming no SCP, RCP" in html
    assert "none attached" in html
    assert "answerable can agent:claude-code/ana/reporter s3:GetObject" in html


def test_who_can_lists_everybody_with_how_and_why(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/who-can", **CALL)
    assert html.count(">why<") == 6
    assert "directly" in html
    assert "token.actions.githubusercontent.com" in html
    assert "if token" in html


def test_by_itself_alone_leaves_paths_aside(desk: StoreCache, viewer: Visitor) -> None:
    html = shown(desk, viewer, "/who-can", **CALL, direct="yes")
    assert html.count(">why<") == 3
    assert "--direct" in html


@pytest.mark.parametrize("path", ["/reach", "/can", "/who-can"])
def test_of_very_many_identities_each_is_answered_by_itself_and_that_is_said(
    desk: StoreCache, viewer: Visitor, monkeypatch: pytest.MonkeyPatch, path: str
) -> None:
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_FOLLOWED", 3)
    monkeypatch.setattr(
        "answerable.reach.aws.bulk.closure.get_graph_closure", pytest.fail
    )
    said = {} if path == "/reach" else dict(CALL)
    said |= {} if path == "/who-can" else {"subject": REPORTER}
    html = shown(desk, viewer, path, **said)
    assert "too many identities to follow paths between them here" in html
    counted = "more not collected" in html  # the line names only some kinds
    assert counted or "paths through other identities" in html
    assert "sts:AssumeRole <" not in html
    direct = shown(desk, viewer, path, **said, direct="yes")
    assert "to follow paths between them" not in direct


def test_of_very_many_identities_an_edit_is_refused_in_one_line(
    desk: StoreCache, viewer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.reach.aws.query_context.MOST_FOLLOWED", 3)
    for name in (
        "answerable.reach.aws.what_if.edit_comparison.get_graph_closure",
        "answerable.usecases.aws_permissions.find_minimal_cuts.get_graph_closure",
        "answerable.services.reach.calls_broken_by_edit.get_graph_closure",
        "answerable.reach.aws.identity_exposure.get_graph_closure",
    ):
        monkeypatch.setattr(name, pytest.fail)
    user = "arn:aws:iam::111122223333:user/report-bot"
    edit = {"without": f"{user}#inline/inline#3"}
    admin = visitor(*WebRole)
    for path, said in (
        ("/what-if", edit),
        ("/what-if/cuts", {"subject": user, "resource": "*"}),
        ("/reach/all", {}),
    ):
        with pytest.raises(RequestRejected) as caught:
            answer(desk, admin, f"/api/v1{path}", **said)
        assert caught.value.status == 422
        assert (
            "too many identities to follow every path in a server" in caught.value.says
        )
        assert "expected at most 3" in caught.value.says


def test_what_is_stated_of_a_request_counts(desk: StoreCache, viewer: Visitor) -> None:
    said = {"subject": REPORTER, **CALL, "context": "aws:SourceIp=10.0.0.1\n"}
    html = shown(desk, viewer, "/can", **said)
    assert "--context aws:SourceIp=10.0.0.1" in html


@pytest.mark.parametrize(
    ("path", "said", "words"),
    [
        ("/reach", {"subject": "reporte"}, "reporte"),
        (
            "/can",
            {"subject": REPORTER, "action": "GetObject", "resource": "*"},
            "GetObject",
        ),
        ("/who-can", {"action": "s3:GetObject", "resource": "no such"}, "no such"),
        ("/reach", {"subject": REPORTER, "after": "x"}, "invalid page cursor"),
        ("/reach", {"subject": REPORTER, "context": "x"}, "expected KEY=VALUE"),
    ],
)
def test_a_question_that_cannot_be_asked_says_why_and_stays_in_the_form(
    desk: StoreCache, viewer: Visitor, path: str, said: dict[str, str], words: str
) -> None:
    page = answer(desk, viewer, path, **said)
    assert isinstance(page, PageAnswer)
    assert page.status == 400
    html = shown(desk, viewer, path, **said)
    assert words in html
    assert 'role="alert"' in html
    for name, value in said.items():
        assert name == "after" or value in html
    alert = html[html.index('role="alert"') :]
    alert = alert[: alert.index("</div>")]
    assert "--" not in alert or "answerable " in alert  # options are of a command


def test_without_a_question_a_page_says_whom_to_begin_with(
    desk: StoreCache, viewer: Visitor
) -> None:
    assert REPORTER in shown(desk, viewer, "/reach")
    assert "Enter an action" in shown(desk, viewer, "/who-can")
    assert "proof" in shown(desk, viewer, "/can")


def test_a_long_answer_comes_by_pages(
    desk: StoreCache, viewer: Visitor, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("answerable.web.pages.reach.question_pages._MAX_ROWS", 3)
    user = "arn:aws:iam::111122223333:user/report-bot"
    first = shown(desk, viewer, "/reach", subject=user)
    assert "after=0.0.3" in first
    assert "data-reader" not in first.split("<tbody>")[-1].split("</tbody>")[0]
    monkeypatch.setattr("answerable.web.pages.reach.question_pages._MAX_PAIRS", 2)
    assert "after=0.0.2" in shown(desk, viewer, "/who-can", **CALL)


@pytest.mark.parametrize(
    ("of", "said"),
    [
        ("reach", {"subject": REPORTER}),
        ("who-can", CALL),
        ("can", {"subject": REPORTER, **CALL}),
    ],
)
def test_the_graph_of_an_answer_is_a_document_whose_steps_join_its_nodes(
    desk: StoreCache, viewer: Visitor, of: str, said: dict[str, str]
) -> None:
    told = answer(desk, viewer, "/reach/graph", of=of, **said)
    assert isinstance(told, DocumentAnswer)
    items = json.loads(json.dumps(list(told.document.items)))
    nodes = {item["id"] for item in items if "id" in item}
    steps = [item for item in items if "from" in item]
    assert len(nodes) >= 3
    assert {s["from"] for s in steps} | {s["to"] for s in steps} == nodes
    assert told.document.coverage["not_collected"]


@pytest.mark.parametrize(
    ("said", "proposed"),
    [
        ({"field": "subject", "subject": "REPORT"}, REPORTER),
        ({"field": "action", "action": "s3:getobj"}, "s3:GetObject"),
        ({"field": "action", "action": "dynamo"}, "dynamodb:"),
        ({"field": "subject", "subject": "data-reader"}, "role/data-reader"),
    ],
)
def test_a_field_is_completed(
    desk: StoreCache, viewer: Visitor, said: dict[str, str], proposed: str
) -> None:
    html = shown(desk, viewer, "/reach/complete", **said)
    assert proposed in html
    assert 0 < html.count("<option") <= 20


def test_a_field_that_there_is_none_of_is_not_completed(
    desk: StoreCache, viewer: Visitor
) -> None:
    assert "<option" not in shown(desk, viewer, "/reach/complete", field="x")


def test_everybody_who_looks_may_ask(desk: StoreCache) -> None:
    for role in WebRole:
        assert REPORTER in shown(desk, visitor(role), "/reach", subject=REPORTER)


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("path", ["/reach", "/can", "/who-can"])
def test_hostile_text_in_a_question_stays_text(
    desk: StoreCache, viewer: Visitor, path: str, text: str
) -> None:
    said = {"action": text, "resource": text, "context": text}
    if path != "/who-can":
        said["subject"] = text
    assert markup_faults(shown(desk, viewer, path, **said)) == []


def hostile_item(text: str) -> ReachItem:
    by = {"layer": text, "policy": f"{text}#inline/{text}", "statement": text}
    condition = {
        "key": text,
        "operator": text,
        "values": [text],
        "negated": False,
        "asserted_by": text,
        "who": text,
    }
    return {
        "subject": text,
        "action": text,
        "resource": text,
        "verdict": "only-if",
        "conditions": [{"all_of": [condition]}],
        "admin": True,
        "determining": [{**by, "effect": text, "text": text}],
        "path": [
            {
                "from": text,
                "via": text,
                "to": f"x{text}",
                "conditions": [{"all_of": [condition]}],
                "determining": [{**by, "effect": text}],
            }
        ],
        "unguarded": True,
        "unguarded_because": text,
    }


@pytest.mark.parametrize("text", HOSTILE)
@pytest.mark.parametrize("of", ["reach", "who-can", "can"])
def test_hostile_text_in_an_answer_stays_text(
    desk: StoreCache,
    viewer: Visitor,
    monkeypatch: pytest.MonkeyPatch,
    of: str,
    text: str,
) -> None:
    """Names of identities, policies and conditions come from outside."""
    item = hostile_item(text)
    coverage = desk_coverage(desk, viewer)

    def listed(*_: object, **__: object) -> object:
        proved: PermissionCheckItem = {**item, "coverage": coverage}
        document = Document(of, [proved], coverage)
        return document if of == "can" else PermissionPage(document, "0.0.1", 2)

    monkeypatch.setattr(flow, "list_subject_permissions_page", listed)
    monkeypatch.setattr(flow, "list_who_can_page", listed)
    monkeypatch.setattr(flow, "check_permission", listed)
    said = {"subject": "x", **CALL} if of != "who-can" else CALL
    html = shown(desk, viewer, f"/{of}", **said)
    assert markup_faults(html) == []
    assert "<svg" in html


def desk_coverage(desk: StoreCache, viewer: Visitor) -> object:
    page = answer(desk, viewer, "/reach", subject=REPORTER)
    assert isinstance(page, PageAnswer)
    return page.values["coverage"]


@pytest.mark.parametrize("text", HOSTILE)
def test_hostile_text_in_a_picture_stays_text(text: str) -> None:
    spots = [
        DiagramNode("a", text, text, 0, "subject", text),
        DiagramNode("b", text, text, 1, "x"),
    ]
    drawn = draw_paths(spots, [DiagramEdge("a", "b", text, True)], text).text
    assert markup_faults(drawn) == []


def test_a_picture_says_which_steps_are_open_by_word_and_line() -> None:
    spots = [
        DiagramNode("a", "a", "a", 0, "subject"),
        DiagramNode("b", "b", "b", 1, "identity"),
    ]
    drawn = draw_paths(spots, [DiagramEdge("a", "b", "x:Y", True)], "a - x:Y - b").text
    assert 'class="line only-if"' in drawn
    assert "x:Y (only-if)" in drawn
    closed = draw_paths(spots, [DiagramEdge("a", "b", "x:Y", False)], "").text
    assert "only-if" not in closed


def many(number: int, rows_each: int) -> list[ReachItem]:
    item = hostile_item("x")
    found = []
    for at in range(number):
        to = f"arn:aws:iam::11112222{at:04}:role/r"
        path = [{**item["path"][0], "from": "agent:a/b", "to": to}]
        found += [
            replace_item(
                item, path=path, action=f"s3:A{n}", resource=f"arn:aws:s3:::b{n}"
            )
            for n in range(rows_each)
        ]
    return found


def replace_item(item: ReachItem, **other: object) -> ReachItem:
    return {**item, "subject": "agent:a/b", **other}


def test_a_picture_never_has_more_than_two_hundred_nodes() -> None:
    drawn = path_graph.build_reach_graph(many(300, 2), ReachQuestion("agent:a/b"))
    assert len(drawn.nodes) <= path_graph.MAX_NODES
    assert drawn.omitted_paths > 0
    keys = set(drawn.nodes)
    assert all({s.origin, s.target} <= keys for s in drawn.edges.values())


def test_many_rows_at_the_end_of_a_path_are_told_by_service() -> None:
    drawn = path_graph.build_reach_graph(many(1, 40), ReachQuestion("agent:a/b"))
    (group,) = (spot for spot in drawn.nodes.values() if spot.kind == "group")
    assert group.text == "s3: 40 actions on 40 resources"
    assert group.link == "/reach?subject=agent%3Aa%2Fb&action=s3%3A%2A"
    assert "(111122220000)" not in drawn.svg_markup.text  # one account is no news


def test_rows_that_differ_in_their_action_alone_are_one() -> None:
    item = replace_item(hostile_item("x"), path=[])
    found = answer_rows.build_path_rows(
        [{**item, "action": f"s3:A{n}"} for n in range(9)], ReachQuestion("agent:a/b")
    )
    (way,) = found
    (row,) = way["rows"]
    assert (row["more"], [to[:5] for _, to in row["actions"]]) == (3, ["/can?"] * 6)


def test_a_question_is_spelled_again_whole() -> None:
    question = ReachQuestion("a b", "s3:*", "*", True, "k=v\n", "1.2.3")
    assert question.link_to("/can") == (
        "/can?subject=a+b&action=s3%3A%2A&resource=%2A&direct=yes&context=k%3Dv%0A"
    )
    assert replace(question, direct=False).build_command("reach", "a b") == (
        "answerable reach 'a b' --context k=v"
    )


def test_ticked_statements_lead_to_what_falls_away(
    desk: StoreCache, viewer: Visitor
) -> None:
    html = shown(desk, viewer, "/reach", subject=REPORTER)
    statement = "arn:aws:iam::111122223333:user/report-bot#inline/inline#3"
    assert f'value="{statement}"' in html
    gone = shown(desk, viewer, "/what-if", subject="report-bot", without0=statement)
    assert "is removed" in gone
    assert "role/lambda-admin" in gone
    assert "answerable what-if report-bot --without" in gone
    everybody = shown(desk, viewer, "/what-if", without0=statement)
    assert "is removed" in everybody


def test_a_statement_that_is_none_is_told_with_the_nearest(
    desk: StoreCache, viewer: Visitor
) -> None:
    statement = "arn:aws:iam::111122223333:user/report-bot#inline/inline#99"
    asked = answer(desk, viewer, "/what-if", subject=REPORTER, without0=statement)
    assert isinstance(asked, PageAnswer)
    assert asked.status == 400
    assert "no such statement" in str(asked.values["problem"])
