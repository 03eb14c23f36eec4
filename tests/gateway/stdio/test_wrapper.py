"""A wrapper passes what may pass, as it came, and ends as its server does."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.gateway.stdio.wrapper_fixture import (
    META,
    SCRIPTED,
    SECONDS,
    WRAPPER,
    Wrapped,
    call,
    decided,
    is_gone,
    line,
    said,
    settings,
    spool_of,
    wrapper,
)
from tests.mcp.running import ROOT

DENIED = -31403


@pytest.fixture(scope="module")
def wrapped(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wrapped]:
    """A wrapper for tests that end nothing."""
    with wrapper(tmp_path_factory.mktemp("wrapped")) as running:
        yield running


def heard(wrapped: Wrapped) -> list[str]:
    """The lines that the server has heard before this question."""
    return list(said(wrapped.ask(call("heard", "heard")))[:-1])


def test_a_line_passes_as_it_came_in_both_directions(tmp_path: Path) -> None:
    odd = (
        b'{ "params":{"_meta":%b,"arguments":{ "n":1.00e1,"\\u0061":"\\u00fc" },'
        b'"name":"echo"},"id":"x","method":"tools\\/call","jsonrpc":"2.0"}'
        % json.dumps(META).encode()
    )
    with wrapper(tmp_path) as wrapped:
        assert said(wrapped.ask(odd))["line"] == odd.decode()
        wrapped.send(call("spelled", 2))
        spelled = b'{ "result" : {"content":[],\t"n": 1.0e2} , "id":2, "jsonrpc":"2.0"}'
        assert wrapped.read() == spelled
        assert wrapped.end() == 0


def test_a_call_that_no_rule_allows_never_reaches_the_server(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    with wrapper(tmp_path) as wrapped:
        denied = wrapped.ask(call("rm", 1))["error"]
        assert denied["code"] == DENIED
        assert denied["data"].keys() == {"decision", "decision_id"}
        assert len(said(wrapped.ask(call("heard", 2)))) == 1
        listed = wrapped.ask(line("tools/list", {"_meta": META}, 3))["result"]
        assert {"echo", "wait"} <= {each["name"] for each in listed["tools"]}
        assert listed["cacheScope"] == "private"
        wrapped.end()
    assert decided(spool) == [
        ("tools/call", "rm", "no-rule", ""),
        ("tools/call", "heard", "allowed", "completed"),
        ("tools/list", "", "allowed", "completed"),
    ]


def test_a_list_shows_what_may_be_called(tmp_path: Path) -> None:
    config = settings()
    config["agents"]["desktop"]["allow"][0]["tools"] = ["echo"]
    with wrapper(tmp_path, config=config) as wrapped:
        listed = wrapped.ask(line("tools/list", {"_meta": META}, 3))["result"]
        assert listed["tools"] == [{"name": "echo"}]


def test_what_was_asked_before_the_input_ended_is_answered(tmp_path: Path) -> None:
    # `ask` waits for its record to be on disk; `echo` does not.
    with wrapper(tmp_path) as wrapped:
        wrapped.initialize()
        wrapped.send(call("echo", 1, None), call("ask", 2, None, method="ping"))
        assert wrapped.process.stdin is not None
        wrapped.process.stdin.close()
        answers = {wrapped.answer().get("id") for _ in range(2)}
        assert answers == {1, "q"}


@pytest.mark.parametrize(
    ("words", "code"), [(["--seven"], 7), ([], 0)], ids=["seven", "zero"]
)
def test_the_exit_code_is_the_servers(
    tmp_path: Path, words: list[str], code: int
) -> None:
    with wrapper(tmp_path, *SCRIPTED, *words) as wrapped:
        wrapped.ask(call("echo"))
        assert wrapped.end() == code


def test_a_server_that_crashes_ends_the_wrapper_and_its_calls(tmp_path: Path) -> None:
    spool = spool_of(tmp_path)
    with wrapper(tmp_path) as wrapped:
        wrapped.send(call("wait", 1), call("crash", 2, code=9))
        lost = {wrapped.answer()["id"]: None for _ in range(2)}
        assert lost.keys() == {1, 2}
        assert wrapped.process.wait(60) == 9
    assert {how for *_, how in decided(spool)} == {"unknown"}


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_signal_reaches_the_server(tmp_path: Path, number: int) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("polite"))
        wrapped.process.send_signal(number)
        assert wrapped.process.wait(60) == 40 + number


def test_whatever_the_server_started_ends_with_it(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        server, child = said(wrapped.ask(call("stubborn")))
        assert wrapped.end() == 128 + signal.SIGKILL
        assert is_gone(server)
        assert is_gone(child)


def test_a_wrapper_that_is_killed_leaves_no_server(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        server = said(wrapped.ask(call("echo")))["pid"]
        wrapped.process.kill()
        assert is_gone(server)


def test_standard_error_passes_through(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("complain"))
        wrapped.end()
        assert "the server complains\n" in wrapped.errors()


def test_a_command_of_the_client_has_the_clients_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOME_KEY", "k")
    with wrapper(tmp_path, *SCRIPTED) as wrapped:
        assert said(wrapped.ask(call("environment")))["SOME_KEY"] == "k"
    with wrapper(tmp_path) as wrapped:
        given = said(wrapped.ask(call("environment")))
        assert given.keys() - {"LC_CTYPE"} == {"HOME", "PATH"}


def test_a_kill_cuts_what_is_under_way(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 0))
        wrapped.send(call("wait", 1))
        subject = "agent:declared/desktop"
        config = str(tmp_path / "answerable.yaml")
        argv = [*WRAPPER[:-1], "kill", subject, "--config", config]
        subprocess.run(argv, cwd=ROOT, check=True)
        denied = wrapped.answer()
        assert (denied["id"], denied["error"]["code"]) == (1, DENIED)
        assert wrapped.ask(call("echo", 2))["error"]["code"] == DENIED


def test_a_cancelled_call_is_cancelled_at_the_server(wrapped: Wrapped) -> None:
    cancel = line("notifications/cancelled", {"requestId": "w"})
    wrapped.send(call("wait", "w"), cancel)
    assert heard(wrapped)[-1] == cancel.decode()


def test_only_a_call_of_its_own_can_be_cancelled(wrapped: Wrapped) -> None:
    cancel = line("notifications/cancelled", {"requestId": 5})
    wrapped.send(cancel)
    assert cancel.decode() not in heard(wrapped)


@pytest.mark.parametrize("number", [signal.SIGUSR1, signal.SIGUSR2])
def test_a_drain_signal_answers_what_is_under_way_and_ends(
    tmp_path: Path, number: signal.Signals
) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 0))
        wrapped.send(call("slow", 1, seconds=2))
        while call("slow", 1, seconds=2).decode() not in heard(wrapped):
            pass
        wrapped.process.send_signal(number)
        assert said(wrapped.answer()) == "slow"
        assert wrapped.read() == b""
        assert wrapped.process.wait(SECONDS) == 0


def test_a_question_of_the_server_is_decided(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.initialize()
        asked = wrapped.ask(call("ask", 1, None, method="elicitation/create"))
        assert (asked["id"], asked["method"]) == ("q", "elicitation/create")
        reply = {"jsonrpc": "2.0", "id": "q", "result": {"action": "decline"}}
        assert said(wrapped.ask(json.dumps(reply).encode())) == reply
        denied = said(wrapped.ask(call("ask", 2, None, method="roots/list")))
        assert denied["error"]["code"] == DENIED
        # Nobody asked this a second time.
        wrapped.send(json.dumps(reply).encode())
        wrapped.ask(call("echo", 3, None))


def test_a_question_of_the_server_has_no_place_in_the_new_revision(
    wrapped: Wrapped,
) -> None:
    heard = said(wrapped.ask(call("ask", 1, method="elicitation/create")))
    assert heard["error"]["code"] == -32601


def test_progress_reaches_the_client_before_the_answer(wrapped: Wrapped) -> None:
    first = wrapped.ask(call("progress", 1, META | {"progressToken": 1}))
    assert first["method"] == "notifications/progress"
    assert said(wrapped.answer()) == 1


@pytest.mark.parametrize("size", [300_000, 3_000_000])
def test_a_large_result_passes(wrapped: Wrapped, size: int) -> None:
    assert said(wrapped.ask(call("big", 1, size=size))) == "x" * size


def test_a_client_that_does_not_read_holds_nobody_up_for_good(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.send(*(call("big", n, size=1_000_000) for n in range(30)))
        time.sleep(0.5)
        facts = Path(f"/proc/{wrapped.process.pid}/status").read_text()
        held = int(facts.partition("VmRSS:")[2].split()[0])
        assert held < 120_000  # kB
        assert {wrapped.answer()["id"] for _ in range(30)} == set(range(30))


def test_a_line_that_is_too_long_is_refused_with_a_reason(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.send(call("echo", 2, filler="x" * (5 << 20)))
        assert wrapped.answer()["error"]["message"] == "The body is too large."
        assert wrapped.process.wait(60) == 0


def test_what_cannot_be_read_in_one_way_goes_nowhere(wrapped: Wrapped) -> None:
    # After its first call the wrapper asks for the list of tools, at any time.
    def echoed() -> list[str]:
        return [each for each in heard(wrapped) if '"echo"' in each]

    before = echoed()
    twice = call("echo", 1).replace(b'"name"', b'"name": "rm", "name"', 1)
    assert wrapped.ask(twice)["error"]["code"] == -32600
    assert wrapped.ask(b"{")["error"]["code"] == -32700
    assert wrapped.ask(b"[" + call("echo", 1) + b"]")["error"]["code"] == -32600
    assert echoed() == before


def test_junk_of_the_server_goes_nowhere(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        assert said(wrapped.ask(call("junk", 1))) == "after junk"
        wrapped.end()
        assert "a line of the server has no recipient" in wrapped.errors()


def test_an_answer_that_can_be_read_in_two_ways_is_an_error(wrapped: Wrapped) -> None:
    assert wrapped.ask(call("repeated", 1))["error"]["code"] == -32603
    assert said(wrapped.ask(call("echo", 2)))["pid"]


def test_a_line_of_the_server_that_is_too_long_ends_it(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        refused = wrapped.ask(call("big", 1, size=17 << 20))
        assert (
            refused["error"]["message"] == "The server sent an event that is too large."
        )
        assert wrapped.process.wait(60) == 128 + signal.SIGTERM


def test_what_a_server_says_before_it_was_asked_goes_nowhere(tmp_path: Path) -> None:
    with wrapper(tmp_path, *SCRIPTED, "--talk") as wrapped:
        assert wrapped.process.stderr is not None
        assert b"has no recipient" in wrapped.process.stderr.readline()
        assert said(wrapped.ask(call("echo", 1)))["pid"]


def test_a_client_may_ask_in_the_new_revision_first(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        unknown = wrapped.ask(line("server/discover", {"_meta": META}, 0))
        assert unknown["error"]["code"] == -32601
        wrapped.initialize()
        assert said(wrapped.ask(call("echo", 1, None)))["pid"]


@pytest.mark.parametrize(
    ("config", "says"),
    [
        (settings(servers={"other": {"command": ["x"]}}, agents={}), "no such server"),
        (settings(servers={"scripted": {}}), "answerable.yaml:"),
    ],
    ids=["no such server", "a fault"],
)
def test_what_is_wrong_is_said_in_two_lines(
    tmp_path: Path, config: dict[str, object], says: str
) -> None:
    with wrapper(tmp_path, config=config) as wrapped:
        assert wrapped.process.wait(60) == 2
        error, hint = wrapped.errors().splitlines()
        assert says in error
        assert hint.startswith("hint: ")


def test_a_command_that_is_not_there_is_said(tmp_path: Path) -> None:
    with wrapper(tmp_path, "/not/there") as wrapped:
        assert wrapped.process.wait(60) == 5
        assert "cannot start scripted (No such file or directory)" in wrapped.errors()


def test_the_evidence_is_in_the_store_afterwards(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.end()
    argv = [sys.executable, "-m", "answerable", "--store", str(tmp_path / "store")]
    query = "select action, count(*) as n from events group by all"
    done = subprocess.run(
        [*argv, "sql", query, "--output", "json"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "tools/call" in done.stdout
    assert not list((tmp_path / "state" / "spool").rglob("*.jsonl"))


def test_a_client_does_not_wait_for_the_store(tmp_path: Path) -> None:
    with wrapper(tmp_path) as wrapped:
        wrapped.ask(call("echo", 1))
        wrapped.end()
    with (tmp_path / "store/log/.lock").open() as lock, wrapper(tmp_path) as wrapped:
        fcntl.flock(lock, fcntl.LOCK_EX)  # another process writes to the store
        for number in range(3):
            wrapped.send(call("echo", number))
            assert wrapped.answer()["id"] == number
        fcntl.flock(lock, fcntl.LOCK_UN)
        assert wrapped.end() == 0


def test_input_may_be_a_file(tmp_path: Path) -> None:
    path = tmp_path / "answerable.yaml"
    path.write_text(json.dumps(settings()))
    asked = tmp_path / "asked"
    asked.write_bytes(call("echo", 1) + b"\n")
    argv = [*WRAPPER, "--config", str(path), "--server", "scripted"]
    with asked.open("rb") as given:
        done = subprocess.run(
            argv, cwd=ROOT, stdin=given, capture_output=True, timeout=60, check=True
        )
    assert said(json.loads(done.stdout))["pid"] != os.getpid()
