"""Every command answers in every form, and each form is whole."""

import csv
import io
import json
from dataclasses import replace

import pytest

from answerable.model.documents.registry import list_single_fact_columns

FORMS = ("table", "json", "ndjson", "csv")
KINDS = (
    *("scan", "where", "agents", "identities", "credentials", "people", "tools"),
    *("who-owns", "reach", "can", "who-can", "ingest", "trace", "trace-score", "sql"),
    *("decision", "asks", "amendments", "requests"),
    *("baselines", "baseline", "baseline-diff", "baseline-replay", "baseline-check"),
    *("baseline-export", "least-privilege", "baseline-deployed", "plan"),
    *("verify", "prove", "checkpoint", "bundle", "doctor"),
    *("store", "store-changes", "holds"),
    *(
        "reach-all",
        "findings",
        "finding-trend",
        "diff",
        "export",
        "what-if",
        "what-if-cuts",
    ),
    *("reach-used", "reach-compared", "owner-keys", "login", "trace-unmediated"),
    *("trace-by", "trace-first-seen", "trace-compare"),
    *("cases", "case", "case-bundle", "saved-queries"),
    "show",
    "credential-policies",
    "access-replay",
)
# Kinds whose table is the text of a file, for a redirection.
FILES = ("baseline-export",)
FLAGS = ((), ("--quiet",), ("--debug",), ("--allow-partial",), ("-q", "--debug"))


def test_the_table_above_names_every_kind(commands) -> None:
    assert set(KINDS) == set(commands)


@pytest.mark.parametrize("kind", KINDS)
def test_json_is_one_document_whatever_the_flags(flows, run, commands, kind):
    for flags in FLAGS:
        ran = run(*commands[kind], "-o", "json", *flags)
        assert ran.code == 0, flags
        document = json.loads(ran.out)
        assert document["schema"] == f"answerable/{kind}/v1", flags
        assert set(document) == {"schema", "items", "coverage"}, flags
        assert document["items"], flags
        assert "next:" not in ran.out, flags


@pytest.mark.parametrize("kind", KINDS)
def test_ndjson_ends_with_a_coverage_line(flows, run, commands, kind):
    lines = [
        json.loads(line)
        for line in run(*commands[kind], "-o", "ndjson").out.splitlines()
    ]
    assert len(lines) >= 2
    assert lines[-1]["schema"] == f"answerable/{kind}/v1"
    assert lines[-1]["coverage"]["not_collected"] == ["scp"]


@pytest.mark.parametrize("kind", KINDS)
def test_csv_has_a_column_for_each_fact_and_json_only_for_lists(
    flows, run, commands, kind
):
    rows = list(csv.reader(io.StringIO(run(*commands[kind], "-o", "csv").out)))
    assert len(rows) >= 2
    document = flows.flow(kind)()
    columns = list_single_fact_columns(document)
    assert rows[0] == [column.name for column in columns]
    assert len(set(rows[0])) == len(rows[0])
    for column, cell in zip(columns, rows[1], strict=True):
        value = column.get_value_of_item(document.items[0])
        if isinstance(value, list | dict):
            assert json.loads(cell) == value


def test_trace_as_csv_has_a_column_for_each_hop_and_each_status(flows, run):
    (row, *_) = csv.DictReader(io.StringIO(run("trace", "-o", "csv").out))
    hops = flows.flow("trace")().items[0]["hops"]
    for name in ("person", "agent", "tool", "identity", "action", "resource"):
        assert row[name] == hops[name]["value"]
        assert row[f"{name}_status"] == hops[name]["status"]
        assert row[f"{name}_source"] == hops[name]["source"]


def test_csv_of_an_empty_list_has_its_header(flows, run):
    flows.answers["agents"] = replace(flows.flow("agents")(), items=[])
    (head,) = run("agents", "-o", "csv").out.splitlines()
    assert {"id", "owner_state", "owner_person"} <= set(head.split(","))


@pytest.mark.parametrize("kind", [each for each in KINDS if each not in FILES])
def test_a_table_is_plain_ends_with_coverage_and_hints_on_stderr(
    flows, run, commands, kind, tmp_path, monkeypatch
):
    words = [*commands[kind], *(["--out", "b"] if kind.endswith("bundle") else [])]
    monkeypatch.chdir(tmp_path)
    ran = run(*words)
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert ran.out.splitlines()[-1].startswith("coverage: aws 2 h old (SCPs not coll")
    assert "next: answerable " in ran.err
    assert "next:" not in ran.out


def test_an_exported_policy_is_alone_on_stdout_and_its_gaps_are_on_stderr(
    flows, run, commands
):
    ran = run(*commands["baseline-export"])
    (item,) = flows.flow("baseline-export")().items
    assert ran.out == item["text"]
    assert "aws-policy: 112 of 6144 characters" in ran.err
    assert "not in the policy (needs-signature): iam:PassRole" in ran.err
    assert run(*commands["baseline-export"], "--terraform").out == item["terraform"]


@pytest.mark.parametrize("kind", KINDS)
def test_quiet_leaves_the_answer_alone(flows, run, commands, kind):
    for form in FORMS:
        loud = run(*commands[kind], "-o", form)
        quiet = run(*commands[kind], "-o", form, "--quiet")
        assert quiet.out == loud.out, form
        assert quiet.err == "", form


def test_what_a_spreadsheet_would_run_is_made_text(flows, run):
    from answerable.model.documents.shared_shapes import Document
    from answerable.presentation.serialization import to_csv

    empty = {"partial": False, "sources": [], "seen": [], "not_collected": []}
    rows = list(to_csv(Document("sql", [{"a": "=1+1", "b": "\x1b[2J"}], empty)))
    assert rows == ["a,b", "'=1+1,\\x1b[2J"]
    for blank in (" ", "  ", "\u00a0", "\u3000", "\u2003 "):
        for sign in "=+-@":
            (_, row) = to_csv(Document("sql", [{"a": f"{blank}{sign}1"}], empty))
            assert row.startswith("'"), (blank, sign)


def test_a_bundle_goes_to_its_file_or_alone_to_the_pipe(flows, run, tmp_path):
    out = tmp_path / "b.json"
    assert run("evidence", "bundle", "01").out == '{"a": [1]}\n'
    kept = run("evidence", "bundle", "01", "--out", str(out))
    assert out.read_text() == '{"a": [1]}\n'
    assert '{"a"' not in kept.out
    assert f"next: answerable evidence verify {out} --key here+1+abc" in kept.err
