"""One meaning for each exit code, and an order when several apply."""

import errno
import json

import click
import pytest

from answerable.cli.errors import (
    BUG,
    FAILED,
    FINE,
    INTERRUPTED,
    PARTIAL,
    REFUSED,
    USAGE,
    most_severe_exit_code,
)
from answerable.model.errors import (
    AmbiguousError,
    EnvironmentFailure,
    IdError,
    ParseError,
    PartialError,
    UsageError,
    VerificationError,
)


@pytest.mark.parametrize(
    ("codes", "ends"),
    [
        ((), FINE),
        ((FINE, FINE), FINE),
        ((PARTIAL, FAILED), FAILED),
        ((PARTIAL, FAILED, USAGE), USAGE),
        ((PARTIAL, FAILED, USAGE, REFUSED), REFUSED),
        ((PARTIAL, FAILED, USAGE, REFUSED, BUG), BUG),
        ((PARTIAL, FINE), PARTIAL),
    ],
)
def test_of_several_codes_the_first_of_4_5_2_1_3_is_used(codes, ends):
    assert most_severe_exit_code(codes) == ends


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (UsageError("what", "next step"), 2),
        (IdError("what", "next step"), 2),
        (AmbiguousError("two fit", ("a", "b")), 2),
        (PartialError("half", "next step"), 3),
        (ParseError("not JSON", "file", 3), 3),
        (VerificationError("broken", "next step"), 1),
        (EnvironmentFailure("newer store", "next step"), 5),
        (OSError(errno.ENOSPC, "No space left on device", "/store"), 5),
        (PermissionError(errno.EACCES, "Permission denied", "/store"), 5),
        (MemoryError(), 5),
        (KeyboardInterrupt(), INTERRUPTED),
        (click.Abort(), INTERRUPTED),
        (KeyError("x"), 4),
        (RecursionError(), 4),
    ],
)
def test_an_error_is_two_lines_and_its_own_code(flows, run, error, code):
    flows.answers["agents"] = error
    ran = run("agents")
    assert ran.code == code
    assert ran.out == ""
    first, *rest = ran.err.splitlines()
    assert first.startswith("error: ")
    assert len(rest) <= 1
    assert all(line.startswith("hint: ") for line in rest)
    assert "Traceback" not in ran.err


def test_an_interrupted_command_ends_with_130(flows, run):
    flows.answers["agents"] = KeyboardInterrupt()
    assert run("agents").code == 130


def test_a_bug_says_how_to_report_it_and_where_it_happened_only_with_debug(flows, run):
    flows.answers["agents"] = KeyError("hunter2-secret")
    plain = run("agents")
    assert "bug" in plain.err
    assert "raised at" not in plain.err
    told = run("agents", "--debug")
    assert "KeyError raised at" in told.err
    assert "lists.py" in told.err
    assert "hunter2" not in told.err + plain.err


def test_ctrl_c_during_a_query_is_no_internal_error(flows, run):
    flows.answers["agents"] = RuntimeError("Query interrupted")  # DuckDB's
    ran = run("agents")
    assert (ran.code, ran.err.splitlines()[0]) == (INTERRUPTED, "error: interrupted")


def test_a_closed_pipe_is_not_an_error(flows, run):
    flows.answers["agents"] = BrokenPipeError(errno.EPIPE, "Broken pipe")
    ran = run("agents")
    assert (ran.code, ran.err) == (0, "")


def test_partial_is_3_and_allow_partial_makes_it_0(flows, run):
    flows.partial("agents")
    refused = run("agents", "-o", "json")
    assert refused.code == 3
    assert json.loads(refused.out)["items"]
    assert "warning: aws:account.json: no such page" in refused.err
    assert "--allow-partial" in refused.err
    assert run("agents", "--allow-partial").code == 0
    assert run("--allow-partial", "agents").code == 0


def test_a_failed_expectation_is_1_even_when_the_answer_is_partial(flows, run):
    flows.failed("can")
    words = ("can", "x", "s3:GetObject", "*", "--expect", "never")
    assert run(*words).code == 1
    flows.failed("can", partial=True)
    assert run(*words).code == 1
    assert run(*words, "--allow-partial").code == 1


@pytest.mark.parametrize(
    ("words", "hint"),
    [
        (("scna",), "answerable scan"),
        (("who-own", "x"), "answerable who-owns"),
        (("verify",), "answerable evidence verify"),
        (("evidence", "verfy"), "answerable evidence verify"),
        (("agents", "--owner-sate", "none"), "--owner-state"),
        (("agents", "--owner-state", "infered"), "inferred"),
        (("agents", "-o", "jsn"), "json"),
        (("--qiet", "agents"), "--quiet"),
        (("can", "a", "b"), "answerable can --help"),
        (("can", "a", "b", "c", "--context", "team"), "--context"),
        (("trace", "--since", "yesterdayish"), "with s, m, h, d or w"),
        (("trace", "--limit", "many"), "answerable trace --help"),
        (("trace", "--outcome", "denid"), "did you mean denied?"),
        (("trace", "--outcome", "succeeded"), "did you mean success?"),
        (("evidence", "verify", "no-such.bundle"), "answerable evidence bundle"),
        (("evidence", "verify", "/"), "answerable evidence verify --store /"),
        (("evidence", "verify", "--checkpoint", "no"), "checkpoint --export"),
        (("evidence", "verify", "--key", "missing"), "keys/log.pub"),
        (("agents", "--owner-state", "zzz"), "answerable agents --help"),
        (("completion", "tcsh"), "answerable completion --help"),
        (("--store", "here@", "agents"), "snapshot"),
    ],
)
def test_a_wrong_word_is_2_with_the_nearest_right_one(flows, run, words, hint):
    ran = run(*words)
    assert ran.code == 2
    assert ran.out == ""
    lines = ran.err.splitlines()
    assert lines[0].startswith("error: ")
    assert len(lines) == 2
    assert lines[1].startswith("hint: ")
    assert hint in lines[1]


def test_a_word_given_as_a_key_is_not_repeated(flows, run):
    ran = run("evidence", "verify", "--key", "hunter2hunter2")
    assert ran.code == 2
    assert "hunter2" not in ran.err


def test_a_message_cannot_move_the_cursor_or_start_a_line_of_its_own(flows, run):
    flows.answers["agents"] = UsageError("no agent '\x1b[2J\nerror: \u202efake'")
    ran = run("agents")
    assert len(ran.err.splitlines()) == 1
    assert "\x1b" not in ran.err
    assert "\u202e" not in ran.err


def test_a_reader_that_stops_early_changes_no_exit_code(flows, run, monkeypatch):
    def closed(*_):
        raise BrokenPipeError(errno.EPIPE, "Broken pipe")

    monkeypatch.setattr("answerable.cli.output.print_document", closed)
    question = ("can", "a", "s3:GetObject", "s3://b/c")
    assert run(*question).code == 0
    flows.failed("can")
    assert run(*question).code == 1
    flows.partial("can")
    assert run(*question).code == 3
