"""Marks, widths, and foreign text that cannot do anything."""

import io
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.cli.render.colour import colour_line
from answerable.cli.render.documents import render_document
from answerable.cli.render.screen import Screen, detect_screen
from answerable.cli.render.status_marks import ASCII, UNICODE, choose_marks
from answerable.cli.render.table import TableColumn, render_table
from answerable.model.documents.shared_shapes import Document
from answerable.presentation.policy_condition_text import (
    describe_condition,
    describe_statement,
)
from answerable.presentation.relative_time import format_ago, format_span
from answerable.presentation.text import cell_width, sanitize, shorten, wrap_text

NOW = 1_795_000_000_000_000_000
VIEWS = (
    *(("scan", ""), ("where", ""), ("agents", ""), ("identities", ""), ("tools", "")),
    *(("credentials", ""), ("people", ""), ("who-owns", ""), ("reach", "")),
    *(("can", ""), ("who-can", ""), ("ingest", ""), ("trace", ""), ("sql", "")),
    *(("trace", "tree"), ("trace-score", ""), ("verify", ""), ("prove", "")),
    *(("checkpoint", ""), ("bundle", "kept"), ("doctor", "")),
    *(("store", ""), ("store-changes", ""), ("holds", "")),
    *(("reach-used", ""), ("reach-compared", ""), ("login", "")),
    *(("trace-unmediated", ""), ("trace-unmediated", "tree"), ("show", "")),
)
NASTY = "\x1b]0;owned\x07\x9b2J\u202e\u2066\u200b\r\n\x00\x7f\ud800界" + "x" * 300


def lines_of(document: Document, screen: Screen, view: str = "") -> list[str]:
    return [
        piece
        for line in render_document(document, screen, NOW, view)
        for piece in screen.wrap(line)
    ]


def poisoned(value: object) -> object:
    """Put hostile text into every field that holds text."""
    match value:
        case str():
            return value + NASTY
        case dict():
            return {name: poisoned(inner) for name, inner in value.items()}
        case list():
            return [poisoned(inner) for inner in value]
    return value


@pytest.fixture
def documents(flows):
    return lambda kind: flows.flow(kind)()


@pytest.mark.parametrize("cells", [20, 40, 80, 200])
@pytest.mark.parametrize(("kind", "view"), VIEWS)
def test_no_line_is_wider_than_the_screen(documents, kind, view, cells):
    for marks in (UNICODE, ASCII):
        for line in lines_of(documents(kind), Screen(cells, marks), view):
            assert cell_width(line) <= cells, line


@pytest.mark.parametrize("cells", [40, 80, 200])
@pytest.mark.parametrize(("kind", "view"), VIEWS)
def test_hostile_names_stay_text_and_within_the_screen(documents, kind, view, cells):
    document = documents(kind)
    hostile = Document(
        kind,
        [poisoned(item) for item in document.items],
        poisoned(document.coverage),
    )
    for line in lines_of(hostile, Screen(cells), view):
        assert line == sanitize(line)
        assert cell_width(line) <= cells


@pytest.mark.parametrize(("kind", "view"), VIEWS)
def test_plain_letters_do_where_the_locale_has_no_others(documents, kind, view):
    screen = Screen(100, ASCII)
    assert "".join(lines_of(documents(kind), screen, view)).isascii()


def test_the_tree_has_six_columns_in_order_and_indents_sub_agents(documents):
    lines = lines_of(documents("trace"), Screen(160), "tree")
    assert lines[0].split() == [
        *("person", "agent", "tool", "identity", "action", "resource")
    ]
    starts = [lines[0].index(name) for name in lines[0].split()]
    assert lines[1].startswith("2 events, ")
    assert "─ ─ ana@corp.example" in lines[2]
    assert lines[2].index("ana@corp") == starts[0]
    assert lines[2].index("cursor/ana") == starts[1]
    assert lines[3].index("└ reviewer") == starts[1]
    assert lines[2].index("user/report-job") == starts[3]
    assert lines[3].index("└ role/warehouse-reader") == starts[3]
    assert lines[2].index("s3:GetObject ×2") == starts[4]  # noqa: RUF001 - meant


def test_a_missing_hop_names_the_source_that_would_supply_it(documents):
    for view in ("", "tree"):
        text = "\n".join(lines_of(documents("trace"), Screen(160), view))
        assert "∅ 1 tool missing: gateway" in text
        assert text.count("∅ 1 tool") == 1


def test_a_narrow_tree_goes_downwards(documents):
    lines = lines_of(documents("trace"), Screen(40), "tree")
    assert [line.split()[0] for line in lines[1:3]] == ["person", "agent"]
    assert "ana@corp.example" in lines[1]


def test_an_answer_shows_who_writes_its_condition_its_path_and_statements(documents):
    lines = lines_of(documents("can"), Screen(80))
    assert lines == [
        "◑ only-if, assuming no SCP denies it",
        "  arn:aws:iam::111122223333:user/report-job can s3:GetObject on",
        "    arn:aws:s3:::warehouse-customers/*",
        "  if aws:SourceIp is inside 10.0.0.0/8 (the platform sets it)",
        "",
        "path",
        "  1  sts:AssumeRole ── arn:aws:iam::111122223333:role/warehouse-reader",
        "",
        "the call itself",
        "  identity  WarehouseRead, statement Read: allows",
        "            Allow Action s3:GetObject Resource",
        "            arn:aws:s3:::warehouse-customers/* if IpAddress aws:SourceIp =",
        "            10.0.0.0/8",
        "  applied but did not decide: RCP",
        "  none attached: permissions boundary, resource policy",
        "  not collected: SCP",
        "  none stated: session policy, endpoint policy",
        "",
        "coverage: aws 2 h old (SCPs not collected) · home now",
    ]


def test_what_is_missing_of_one_account_is_said_of_that_account(documents):
    document = documents("can")
    (item,) = document.items
    missing = ["running-code (account 444455556666, other regions)", "scp (account 1)"]
    covered = {**document.coverage, "not_collected": missing}
    items = [{**item, "coverage": covered}]
    shown = lines_of(replace(document, items=items, coverage=covered), Screen(200))
    assert shown[0] == "◑ only-if, assuming no SCP denies it"
    assert (
        "running code of account 444455556666, other regions, SCPs of account 1 "
        "not collected"
    ) in shown[-1]


def test_a_long_statement_and_a_long_path_are_cut_and_say_so(documents):
    document = documents("can")
    item = dict(document.items[0])
    item["path"] = [item["path"][0] | {"to": f"role/{n}"} for n in range(50)]
    item["determining"] = [
        item["determining"][0] | {"text": "Allow " + "Action s3:GetObject " * 200}
    ] * 12
    shown = lines_of(replace(document, items=[item]), Screen(80))
    assert "     and 45 more steps; -o json lists them" in shown
    assert "            and 6 more; -o json lists them" in shown
    assert len(shown) < 60
    assert any(line.endswith("…") for line in shown)


def test_the_use_of_a_grant_is_summed_up_and_unknown_is_not_zero(documents):
    lines = lines_of(documents("reach-used"), Screen(100))
    assert lines[1] == (
        "granted 3 actions, reachable 3, used 1, blocked 1; granted and never used: 1 "
        "(not known for 1 more)"
    )
    (row,) = (line for line in lines if line.startswith("sqs:SendMessage"))
    assert row.split()[3:5] == ["not", "known"]


def test_of_a_service_too_long_to_list_what_the_trail_does_not_tell_stands_apart(
    documents,
):
    whole = documents("reach-used")
    idle = {**whole.items[0], "service": "s3"}
    items = [
        {**idle, "action": f"s3:Act{n}", "used": count, "blocked": count}
        for n, count in enumerate((0, None) * 25)
    ]
    text = "\n".join(lines_of(replace(whole, items=items), Screen(2_000)))
    assert "not called (25): s3:Act0, s3:Act2, " in text
    assert "not in the log (25): s3:Act1, s3:Act3, " in text


def test_each_difference_from_the_simulator_is_shown_with_both_sides(documents):
    text = "\n".join(lines_of(documents("reach-compared"), Screen(100)))
    assert text.startswith("✘ 1 of 2 verdicts agree with iam:SimulatePrincipalPolicy")
    assert "1 excluded: key policies are not simulated" in text
    assert "  here: always\n    identity  WarehouseRead, statement Write" in text
    assert "  AWS: explicitDeny (NoWrites)" in text


def test_where_no_sure_answer_was_compared_nothing_is_said_to_agree(documents):
    whole = documents("reach-compared")
    aside = [i for i in whole.items if i["outcome"] == "set-aside"]
    lines = list(lines_of(replace(whole, items=aside), Screen(100)))
    assert lines[:2] == [
        "nothing was compared",
        "  1 excluded: key policies are not simulated",
    ]


def test_columns_go_by_importance_and_the_important_one_stays_whole():
    columns = (TableColumn("id", 0), TableColumn("owner", 1), TableColumn("note", 2))
    rows = [("identity-number-one", "ana@corp.example", "long " * 20)]
    assert "note" not in render_table(columns, rows, Screen(60))[0]
    narrow = render_table(columns, rows, Screen(24))
    assert narrow[:2] == ["id", "identity-number-one"]
    assert narrow[2:] == ["not shown: owner, note", "  (--wide shows all)"]


def test_a_column_as_important_as_a_wide_one_is_not_dropped_for_it():
    columns = (TableColumn("place", 0, floor=8), TableColumn("there", 0))
    lines = render_table(columns, [("a/long/path/of/a/file", "absent")], Screen(20))
    assert lines[0].split() == ["place", "there"]
    assert "absent" in lines[1]


def test_an_empty_column_is_left_out():
    lines = render_table(
        (TableColumn("a", 0), TableColumn("b", 1)), [("x", "")], Screen(80)
    )
    assert lines == ["a", "x"]


@pytest.mark.parametrize(
    ("text", "cells", "short"),
    [
        ("short", 10, "short"),
        ("abcdefghij", 7, "abc…hij"),
        ("arn:aws:iam::111122223333:role/deploy", 20, "arn:aws:…role/deploy"),
        (
            "arn:aws:s3:::warehouse-customers/2026/a.parquet",
            24,
            "warehouse-cust…a.parquet",
        ),
    ],
)
def test_a_long_name_is_cut_in_the_middle(text, cells, short):
    assert shorten(text, cells, "…") == short


@given(st.text(max_size=60), st.integers(1, 40))
def test_shortened_and_wrapped_text_fits(text, cells):
    shown = sanitize(text)
    assert cell_width(shorten(shown, cells, "…")) <= cells
    if cells > 3:
        for line in wrap_text(shown, cells, " "):
            assert cell_width(line) <= cells


@given(st.text(max_size=60))
def test_safe_text_holds_nothing_that_acts(text):
    shown = sanitize(text)
    assert shown == sanitize(shown)
    assert all(letter.isprintable() for letter in shown)


def test_wrapping_loses_no_letter():
    text = "one two three four " + "x" * 30
    joined = "".join(wrap_text(text, 10, "  ")).replace(" ", "")
    assert joined == text.replace(" ", "")


@pytest.mark.parametrize(
    ("encoding", "marks"),
    [("utf-8", UNICODE), ("ascii", ASCII), ("latin-1", ASCII), (None, ASCII)],
)
def test_the_marks_follow_the_locale(encoding, marks):
    assert choose_marks(encoding) is marks


def test_no_mark_of_a_verdict_means_good():
    for marks in (UNICODE, ASCII):
        assert set(marks.verdicts) == {"always", "only-if", "never", "not-known"}
        assert not {marks.yes, marks.no} & set(marks.verdicts.values())


class _Terminal(io.StringIO):
    encoding = "utf-8"

    def isatty(self) -> bool:
        return True


def test_colour_is_for_a_terminal_that_wants_it(monkeypatch):
    monkeypatch.delenv("NO_COLOR", raising=False)
    monkeypatch.setenv("TERM", "xterm")
    assert detect_screen(_Terminal()).colour
    assert not detect_screen(io.StringIO()).colour
    monkeypatch.setenv("NO_COLOR", "1")
    assert not detect_screen(_Terminal()).colour


def test_colour_adds_nothing_but_colour():
    assert colour_line("✔ ok") == "\x1b[32m✔\x1b[0m ok"
    assert colour_line("● always") == "\x1b[31m●\x1b[0m always"
    assert colour_line("plain") == "plain"


def test_a_pipe_is_not_cut_unless_columns_says_so(monkeypatch):
    monkeypatch.delenv("COLUMNS", raising=False)
    assert detect_screen(io.StringIO()).width > 1_000
    monkeypatch.setenv("COLUMNS", "80")
    assert detect_screen(io.StringIO()).width == 80
    assert detect_screen(io.StringIO(), wide=True).width > 20 * 1_000  # 20 columns


def test_ages_are_relative_and_in_one_unit():
    assert [format_span(s) for s in (5, 300, 7200, 259_200)] == [
        "5 s",
        "5 min",
        "2 h",
        "3 d",
    ]
    at = 1_795_000_000
    assert format_ago("2026-11-18T11:06:40Z", at * 1_000_000_000) == "now"
    assert format_ago(None, 0) == ""
    assert format_ago("soon", 0) == "soon"


@pytest.mark.parametrize(
    ("operator", "negated", "key", "says"),
    [
        ("StringLike", False, "aws:A", "aws:A matches v (the caller chooses it)"),
        ("StringNotLike", False, "aws:A", "aws:A does not match v (the caller"),
        ("StringNotLike", True, "aws:A", "aws:A matches v (the caller"),
        ("ForAnyValue:StringEquals", False, "aws:A", "a value of aws:A is v"),
        ("stringequalsifexists", False, "aws:A", "aws:A, if present, is v"),
        ("BinaryEquals", True, "aws:A", "aws:A not BinaryEquals v"),
        ("Matches", True, "answerable:deny", "the call does not fall under v"),
        (
            "Denies",
            True,
            "answerable:unread-statement",
            "v, which could not be read, does not deny it",
        ),
    ],
)
def test_a_condition_reads_as_a_sentence(operator, negated, key, says):
    item = {"key": key, "operator": operator, "values": ["v"], "negated": negated}
    assert describe_condition({**item, "asserted_by": "caller"}).startswith(says)


@pytest.mark.parametrize(
    ("layer", "policy", "effect", "says"),
    [
        (
            "identity",
            "arn:aws:iam::1:user/x#inline/P",
            "allow",
            "identity policy P of user/x allows it (statement 0)",
        ),
        (
            "trust",
            "arn:aws:iam::1:role/r#trust",
            "allow",
            "trust policy of role/r allows it (statement 0)",
        ),
        (
            "boundary",
            "arn:aws:iam::1:policy/b",
            "implicit-deny",
            "permissions boundary policy/b does not allow it (statement 0)",
        ),
        ("scp", "p-1", "deny", "SCP p-1 denies it (statement 0)"),
    ],
)
def test_a_statement_that_decided_reads_as_a_sentence(layer, policy, effect, says):
    item = {"layer": layer, "policy": policy, "statement": "0", "effect": effect}
    assert describe_statement(item) == says


@pytest.mark.parametrize("view", ["", "tree"])
def test_unmediated_use_says_why_and_what_else_was_judged(documents, view):
    found = documents("trace-unmediated")
    untold = {"agent-missing": 7, "agent-not-covered": 0, "no-gateway-records": 0}
    untold |= {"records-missing": 0, "end-unknown": 2}
    told = {"mediated": 5, "untold": untold}
    covered = replace(found, coverage={**found.coverage, "mediation": told})
    text = "\n".join(lines_of(covered, Screen(160), view))
    assert "unmediated: 1 (no call of the agent was in progress)" in text
    assert "mediated: 5" in text
    assert "not known: 7 (the agent is not known)" in text
    assert "not known: 2 (the end of a call in progress is not known)" in text
    assert "of the agent)" not in text
