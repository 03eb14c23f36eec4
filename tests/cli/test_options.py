"""Shared options stand before or after a command; the store is never the cwd."""

import os
from dataclasses import replace
from pathlib import Path

import pytest

from answerable import __version__
from answerable.cli.settings import Settings, find_store
from answerable.connectors.user_path import expand_user_path
from answerable.model.errors import UsageError
from answerable.presentation.time_input import parse_time
from answerable.services.reach.stated_request_context import parse_context_keys
from answerable.store.store import EvidenceStore

HOUR = 3_600_000_000_000


@pytest.mark.parametrize(
    "words",
    [
        ("-o", "json", "--quiet", "--store", "x", "evidence", "verify"),
        ("evidence", "-o", "json", "--quiet", "--store", "x", "verify"),
        ("evidence", "verify", "-o", "json", "--quiet", "--store", "x"),
        ("--quiet", "evidence", "-o", "json", "verify", "--store", "x"),
        ("--store=x", "-o", "csv", "-q", "evidence", "verify", "-ojson"),
    ],
)
def test_shared_options_stand_anywhere(flows, run, words):
    ran = run(*words)
    assert (ran.code, ran.err) == (0, "")
    assert ran.out.startswith('{"schema": "answerable/verify/v1"')
    (store,) = flows.asked["verify"][0]
    assert store.root == Path.cwd() / "x"


@pytest.mark.parametrize("words", [("--version",), ("agents", "--version")])
def test_the_version_is_told_anywhere(run, words):
    ran = run(*words)
    assert (ran.code, ran.out) == (0, f"answerable {__version__}\n")


def test_the_store_named_comes_first_then_the_environment_then_the_data_folder(
    monkeypatch, tmp_path
):
    monkeypatch.delenv("XDG_DATA_HOME", raising=False)
    usual = Path.home() / ".local" / "share" / "answerable"
    assert find_store(Settings()) == (usual, "")
    monkeypatch.setenv("XDG_DATA_HOME", "relative")
    assert find_store(Settings()) == (usual, "")
    monkeypatch.setenv("XDG_DATA_HOME", str(tmp_path))
    assert find_store(Settings()) == (tmp_path / "answerable", "")
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "env"))
    assert find_store(Settings()) == (tmp_path / "env", "")
    assert find_store(Settings(store=str(tmp_path / "arg"))) == (tmp_path / "arg", "")


def test_a_store_planted_in_the_working_directory_is_not_used(
    flows, run, monkeypatch, tmp_path
):
    for name in ("answerable", ".answerable", "store"):
        (tmp_path / name).mkdir()
    monkeypatch.chdir(tmp_path)
    run("evidence", "verify")
    (store,) = flows.asked["verify"][0]
    assert store.root == Path(os.environ["XDG_DATA_HOME"]) / "answerable"


def test_a_snapshot_is_named_after_the_store(flows, run, tmp_path):
    run("agents", "--store", f"{tmp_path}@2026-11-24T10-00-00Z")
    (inventory,) = flows.asked["agents"][0]
    assert (inventory.root, inventory.name) == (tmp_path, "2026-11-24T10-00-00Z")


@pytest.mark.parametrize(
    "words",
    [("scan",), ("ingest", "cloudtrail:trail"), ("attest", "x", "--owner", "ana")],
)
def test_a_command_that_writes_takes_no_snapshot(flows, run, tmp_path, words):
    ran = run(*words, "--store", f"{tmp_path}@2026-11-24T10-00-00Z")
    assert ran.code == 2
    assert "snapshots are read-only" in ran.err
    assert f"hint: name the store without the snapshot: --store {tmp_path}\n" in ran.err
    assert not flows.asked


def test_a_folder_whose_name_holds_an_at_is_a_folder(tmp_path):
    folder = tmp_path / "me@work"
    folder.mkdir()
    assert find_store(Settings(store=str(folder))) == (folder, "")


def test_a_condition_key_given_twice_has_both_values():
    assert parse_context_keys(("a=1", "b=x=y", "a=2")) == {
        "a": ("1", "2"),
        "b": ("x=y",),
    }


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("store", "hold", "--reason", "r", "--source="), "--source is empty"),
        (("store", "retain", "--days", "9", "--source", ""), "--source is empty"),
        (("evidence", "checkpoint", "--export", ""), "--export is empty"),
        (("trace", "--person", ""), "--person is empty"),
        (
            ("store", "hold", "--reason", "r", "--person", "ana", "--person", "ben"),
            "--person is given 2 times",
        ),
        (("trace", "--limit", "5", "--limit=5"), "--limit is given 2 times"),
    ],
)
def test_an_option_without_effect_is_refused(flows, run, words, says):
    ran = run(*words)
    assert ran.code == 2
    assert says in ran.err
    assert not flows.asked


@pytest.mark.parametrize(
    ("text", "ns"),
    [
        ("now", 100 * HOUR),
        ("2h", 98 * HOUR),
        ("1970-01-02", 24 * HOUR),
        ("1970-01-01T01:00:00Z", HOUR),
        ("1970-01-01T01:00:00+01:00", 0),
        ("1970-01-01T00:00:00.000001Z", 1_000),
    ],
)
def test_a_time_is_a_span_before_now_a_date_or_rfc_3339(text, ns):
    assert parse_time(text, 100 * HOUR, "--since") == ns


def test_a_time_that_is_none_is_a_usage_error():
    with pytest.raises(UsageError, match="--since"):
        parse_time("7 parsecs", 0, "--since")


def test_options_of_trace_reach_the_flow(flows, run):
    run("trace", "--person", "ana", "--since", "1970-01-02", "--limit", "5")
    question = flows.asked["trace"][0][1]
    assert question.person == "ana"
    assert question.since == 24 * HOUR
    assert (question.until, question.limit) == (0, 5)


def test_unmediated_use_is_asked_for_with_the_options_of_trace(flows, run):
    run("trace", "--unmediated", "--agent", "reports", "--until", "1970-01-02")
    question = flows.asked["trace-unmediated"][0][1]
    assert (question.agent, question.until) == ("reports", 24 * HOUR)
    assert "trace" not in flows.asked
    assert run("trace", "--unmediated", "--score").code == 2


def test_counts_are_asked_for_with_the_options_of_trace(flows, run):
    run("trace", "--by", "agent,day", "--agent", "reports", "--limit", "3")
    _, question, fields = flows.asked["trace-by"][0]
    assert (question.agent, question.limit, fields) == ("reports", 3, "agent,day")
    assert "trace" not in flows.asked
    for other in ("--score", "--unmediated", "--tree"):
        assert run("trace", "--by", "agent", other).code == 2


def test_a_saved_query_is_refined_by_the_options(flows, run, monkeypatch):
    from answerable.services.lineage import saved_queries

    kept = saved_queries.SavedQuery(
        name="x", query="agent:a since:1970-01-02", by="day", at="0", author="ana"
    )
    monkeypatch.setattr(saved_queries, "find_saved_query", lambda *_: kept)
    run("trace", "--saved", "x", "--agent", "reports", "--query", "agent:b source:okta")
    _, question, fields = flows.asked["trace-by"][0]
    assert (question.agent, question.source, fields) == ("reports", "okta", "day")
    assert question.since == 24 * HOUR
    assert run("trace", "--unmediated", "--query", "source:okta").code == 2


def test_the_first_run_shows_three_commands_and_an_empty_store_names_the_next(
    flows, run
):
    from answerable.model.documents.shared_shapes import Document

    ran = run()
    assert ran.code == 0
    assert ran.out.count("  answerable ") == 3
    empty = {"partial": False, "sources": [], "seen": [], "not_collected": []}
    for kind in ("agents", "identities", "credentials", "people", "tools"):
        flows.answers[kind] = Document(kind, [], empty)
        assert "answerable scan" in run(kind).out
    flows.answers["trace"] = Document("trace", [], empty)
    assert "answerable ingest" in run("trace").out
    flows.answers["store"] = Document("store", [], empty)
    assert run("store", "stats").out == (
        "no event is stored: answerable ingest cloudtrail:PATH reads a log\n"
    )
    scanned = replace(
        flows.flow("scan")(), kind="trace", items=[], next="answerable trace -h"
    )
    flows.answers["trace"] = scanned
    assert "no event matches: try answerable trace -h" in run("trace").out


def test_an_empty_answer_says_what_was_searched(flows, run):
    from answerable.model.documents.shared_shapes import Document

    trail = {"partial": False, "sources": [], "seen": ["cloudtrail"]}
    flows.answers["trace"] = Document(
        "trace", [], {**trail, "not_collected": []}, searched="events searched: 18"
    )
    out = run("trace").out
    assert out == "no event matches: events searched: 18\n\ncoverage: CloudTrail\n"
    source = {"source": "store", "at": "2026-01-01T00:00:00Z", "age_s": 0}
    lost = {**source, "problems": ["unreadable: events of 2025-12-31: a is damaged"]}
    partial = {**trail, "partial": True, "sources": [lost], "not_collected": []}
    flows.answers["trace"] = Document("trace", [], partial, searched="events: 18")
    said = "not known: unreadable: events of 2025-12-31: a is damaged\n"
    assert run("trace").out.startswith(said)
    flows.answers["trace"] = Document(
        "trace", [], {**trail, "not_collected": []}, searched="events searched: 18"
    )
    ran = run("trace", "-o", "json")
    assert ran.err == "hint: events searched: 18\n"
    assert run("trace", "-o", "json", "--quiet").err == ""


@pytest.mark.parametrize(
    ("kind", "words", "denied", "narrowed"),
    [
        ("requests", ("requests",), "no requests", "no request matches"),
        ("asks", ("asks",), "no approval requests", "no approval request matches"),
        (
            "amendments",
            ("asks", "amendments"),
            "no policy exceptions",
            "no policy exception matches",
        ),
        ("agents", ("agents",), "no agents yet", "no agents found"),
    ],
)
def test_an_answer_that_is_empty_for_a_filter_does_not_deny_the_rest(
    flows, run, kind, words, denied, narrowed
):
    from answerable.model.documents.shared_shapes import Document

    source = {"source": "home:~", "at": "2026-11-24T10:00:00Z", "age_s": 3}
    covered = {"partial": False, "seen": [], "not_collected": []}
    for searched, sources, says in (
        ("", [], denied),
        ("none of 3 fits", [{**source, "problems": []}], f"{narrowed}: none of 3 fits"),
    ):
        flows.answers[kind] = Document(
            kind, [], {**covered, "sources": sources}, searched=searched
        )
        assert run(*words).out.startswith(says)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_prints_a_script_and_runs_no_shell(run, monkeypatch, shell):
    import subprocess

    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("a child was started")

    monkeypatch.setattr(subprocess, "Popen", refuse)
    ran = run("completion", shell)
    assert ran.code == 0
    assert "_ANSWERABLE_COMPLETE" in ran.out


def test_a_request_of_a_run_is_filed_with_a_key_or_not_at_all(flows, run) -> None:
    for words in (("--request", "f"), ("--key", "k")):
        ran = run("run", "--agent", "a", *words, "--", "true")
        assert (ran.code, ran.out) == (2, "")
        assert "require each other" in ran.err


NOBODYS = "~nobody-here/file"
NEW = ("owner-keys", "new", "--person", "ana")


@pytest.mark.parametrize(
    "words",
    [
        ("--store", NOBODYS, "agents"),
        ("asks", "revoke", "0" * 32, "--key", NOBODYS),
        (*NEW, "--key", NOBODYS),
        (*NEW, "--key", "new.pem", "--passphrase-file", NOBODYS),
        ("owner-keys", "enroll", NOBODYS, "--person", "ana"),
        ("requests", "file", "agent:declared/desk", NOBODYS, "--key", "key"),
        ("evidence", "verify", NOBODYS),
        ("evidence", "verify", "--checkpoint", NOBODYS),
        ("demo", "--keep", NOBODYS),
        ("ingest", f"cloudtrail:{NOBODYS}"),
        ("ingest", f"gateway:{NOBODYS}"),
        ("can", "x", "s3:GetObject", "*", "--session-policy", NOBODYS),
        ("serve", "--config", NOBODYS),
    ],
    ids=" ".join,
)
def test_a_home_of_nobody_is_told_as_that(run, monkeypatch, tmp_path, words):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", str(tmp_path / "store"))
    monkeypatch.setattr(
        "answerable.server.processes.ancestors.refuse_agent_ancestors", lambda *_: None
    )
    EvidenceStore.open(tmp_path / "store", now=1).close()
    ran = run(*words)
    told = ran.err.splitlines()[-2]
    assert (ran.code, told) == (2, f"error: no such user (got {NOBODYS!r})"), ran.err


def test_where_no_home_is_known_that_is_told(monkeypatch):
    monkeypatch.delenv("HOME")
    monkeypatch.setattr("os.path.expanduser", lambda path: path)
    with pytest.raises(UsageError, match="the home directory is unknown"):
        expand_user_path("~/file")


def test_what_a_user_typed_is_expanded_in_one_place(root):
    found = [
        path.name
        for path in (root / "src").rglob("*.py")
        if ".expanduser()" in path.read_text(encoding="utf-8")
    ]
    assert found == ["user_path.py"]


@pytest.mark.parametrize("key", ["~nobody-here/secret", "secret" * 60])
def test_what_is_no_public_key_is_not_shown(run, key):
    ran = run("evidence", "verify", "--key", key)
    assert (ran.code, "secret" in ran.err) == (2, False), ran.err
