"""Every command answers in every form, and each form is whole."""

import csv
import io
import json

import pytest

FORMS = ("table", "json", "ndjson", "csv")
KINDS = (
    *("scan", "where", "agents", "identities", "credentials", "people", "tools"),
    *("who-owns", "reach", "can", "who-can", "ingest", "trace", "trace-score", "sql"),
    *("verify", "prove", "checkpoint", "bundle", "doctor"),
)
FLAGS = ((), ("--quiet",), ("--debug",), ("--allow-partial",), ("-q", "--debug"))


def test_the_table_above_names_every_kind(commands) -> None:
    assert set(KINDS) == set(commands)


@pytest.mark.parametrize("flags", FLAGS, ids=" ".join)
@pytest.mark.parametrize("kind", KINDS)
def test_json_is_one_document_whatever_the_flags(flows, run, commands, kind, flags):
    ran = run(*commands[kind], "-o", "json", *flags)
    assert ran.code == 0
    document = json.loads(ran.out)
    assert document["schema"] == f"answerable/{kind}/v1"
    assert set(document) == {"schema", "items", "coverage"}
    assert document["items"]
    assert "next:" not in ran.out


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
def test_csv_has_a_head_and_cells_that_are_text_or_json(flows, run, commands, kind):
    rows = list(csv.reader(io.StringIO(run(*commands[kind], "-o", "csv").out)))
    assert len(rows) >= 2
    assert {len(row) for row in rows} == {len(rows[0])}
    for cell in rows[1]:
        if cell[:1] in "[{" and cell:
            json.loads(cell)


@pytest.mark.parametrize("kind", KINDS)
def test_a_table_is_plain_ends_with_coverage_and_hints_on_stderr(
    flows, run, commands, kind
):
    ran = run(*commands[kind])
    assert ran.code == 0
    assert "\x1b" not in ran.out
    assert ran.out.splitlines()[-1].startswith("coverage: aws 2 h old (SCPs not coll")
    assert "next: answerable agents" in ran.err
    assert "next:" not in ran.out


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("kind", KINDS)
def test_quiet_leaves_the_answer_alone(flows, run, commands, kind, form):
    loud = run(*commands[kind], "-o", form)
    quiet = run(*commands[kind], "-o", form, "--quiet")
    assert quiet.out == loud.out
    assert quiet.err == ""


def test_what_a_spreadsheet_would_run_is_made_text(flows, run):
    from answerable.cli.emit import to_csv
    from answerable.model.document import Document

    empty = {"partial": False, "sources": [], "seen": [], "not_collected": []}
    rows = list(to_csv(Document("sql", [{"a": "=1+1", "b": "\x1b[2J"}], empty)))
    assert rows == ["a,b", "'=1+1,\\x1b[2J"]
