"""A reload says what it would have done to the last calls, and so does a trial."""

import asyncio
import json
import os
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from answerable.authorization.decision_table import build_decision_table
from answerable.cli.main import main
from answerable.gateway.replay_buffer import ReplayBuffer
from answerable.gateway.serve import background_replay, operator_socket
from answerable.gateway.serve.background_replay import replay_policy
from answerable.gateway.serve.control_channel import PolicyTrialResult, WorkerPolicy
from answerable.gateway.serve.operator_socket import (
    OperatorSocket,
    request_policy_trial,
)
from answerable.model.decision import AuthorizationRequest, Decision
from answerable.model.errors import EnvironmentFailure
from answerable.model.policy_replay import PolicyReplayResult
from answerable.usecases.authorization.authorize import Authorizer
from tests.authorization.config_strategies import request
from tests.authorization.test_policy_replay import ALLOWS, DENIES
from tests.gateway.serve.running_gateway import Backend, Serving, configuration, serving
from tests.gateway.serve.test_serve import text


def without(settings: dict[str, Any], agent: str, tool: str) -> dict[str, Any]:
    """The same file, in which one agent may not use one tool."""
    changed = json.loads(json.dumps(settings))
    changed["agents"][agent]["allow"][0]["tools"].remove(tool)
    return dict(changed)


Attempt = Callable[[Serving, dict[str, Any]], dict[str, Any]]


@pytest.fixture
def attempt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Attempt:
    """Ask the gateway that runs about another file."""

    def asked(served: Serving, settings: dict[str, Any]) -> dict[str, Any]:
        monkeypatch.setenv("HOME", str(served.folder))
        monkeypatch.chdir(served.folder)
        other = served.folder / "other.yaml"
        other.write_text(json.dumps(settings))
        code = main(["gateway", "try", "--config", str(other), "-o", "json"])
        out, err = capsys.readouterr()
        assert code == 0, err
        (item,) = json.loads(out)["items"]
        return dict(item)

    return asked


def test_a_trial_and_a_reload_say_what_would_have_been_denied(
    tmp_path: Path, server: Backend, attempt: Attempt
) -> None:
    settings = configuration(server.server_port)
    settings["listen"]["workers"] = 2
    with serving(tmp_path, settings) as served:
        for who in ("ana", "ben", "ana", "ana"):
            assert text(served.call("read", who)) == "read"
        stricter = without(settings, "ana", "read")

        item = attempt(served, stricter)
        assert (item["calls"], item["would_have_denied"]) == (4, 3)
        (turned,) = item["turned"]
        assert turned["agent"] == "agent:declared/ana"
        assert (turned["rules_before"], turned["reason"]) == (
            ["agents.ana.allow[0]"],
            "no-rule",
        )
        assert turned["count"] == 3
        assert text(served.call("read", "ana")) == "read"  # nothing is in force

        served.configure(stricter)
        served.reload()
        taken = served.hear("config.taken")
        assert taken["replayed"] == "would deny 4 of 5 calls"
        assert taken["turned"] == [
            "4x agent:declared/ana at files: allow by agents.ana.allow[0] -> deny by "
            "no-rule"
        ]
        ready = json.loads(served.get("/readyz")[1])
        assert ready["replayed"] == {
            "calls": 5,
            "would_have_denied": 4,
            "would_have_passed": 0,
        }
        refused = served.call("read", "ana")
        assert refused["error"]["data"]["decision"] == "deny"


def test_a_trial_names_the_policy_that_would_deny_and_a_files_faults(
    tmp_path: Path, server: Backend, attempt: Attempt
) -> None:
    settings = configuration(server.server_port)
    with serving(tmp_path, settings) as served:
        assert attempt(served, without(settings, "ana", "read"))["calls"] == 0
        with pytest.raises(AssertionError) as caught:
            attempt(served, settings | {"default_mode": "obey"})
        assert "default_mode: expected one of observe, shadow, enforce" in str(
            caught.value
        )
        for seconds in (0, 0.01):
            served.call("slow", arguments={"seconds": seconds})
        (tmp_path / "slow.cedar").write_text(
            '@id("not-at-once") forbid (principal, action == Action::"tools/call", '
            'resource == Tool::"tool:mcp/files/slow") '
            "when { context.arguments.seconds < 1 };"
        )
        item = attempt(served, settings | {"policy": ["slow.cedar"]})
        assert (item["calls"], item["would_have_denied"]) == (2, 2)
        turned = {each["reason"]: each for each in item["turned"]}
        assert turned["forbidden"]["rules"] == ["slow.cedar:not-at-once"]
        assert turned["evaluation"]["after"] == "error"  # no number that it compares


def test_where_no_gateway_runs_a_trial_says_so(tmp_path: Path) -> None:
    with pytest.raises(EnvironmentFailure, match="no gateway is running with"):
        request_policy_trial(tmp_path, POLICY)


class Slow(Authorizer):
    """Takes its time."""

    def authorize(self, request: AuthorizationRequest) -> Decision:
        time.sleep(0.001)
        return super().authorize(request)


@pytest.mark.parametrize("longest", [30.0, 0.05])
def test_calls_go_on_while_others_are_decided_anew(
    monkeypatch: pytest.MonkeyPatch, longest: float
) -> None:
    monkeypatch.setattr(background_replay, "MAX_SECONDS", longest)
    recent, turns = ReplayBuffer(), 0
    for _ in range(160):
        recent.append(request())

    async def both() -> PolicyReplayResult:
        async def serve() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        serving = asyncio.create_task(serve())
        authority = Slow(build_decision_table(ALLOWS))
        replayed = await replay_policy(authority, build_decision_table(DENIES), recent)
        serving.cancel()
        return replayed

    replayed = asyncio.run(both())
    assert replayed.calls + replayed.left_out == 160
    assert replayed.held_back == replayed.calls
    assert turns >= replayed.calls / background_replay.BATCH_SIZE - 1
    assert (replayed.left_out > 0) is (longest < 1)


def test_a_state_whose_path_is_too_long_for_a_socket_stops_no_gateway(
    tmp_path: Path, server: Backend
) -> None:
    settings = configuration(server.server_port) | {"state": "s" * 110}
    with serving(tmp_path, settings) as served:
        assert text(served.call("read")) == "read"
        served.hear("operator.not-listening")


POLICY = WorkerPolicy(b"", "answerable.yaml", "/", True, ())


async def _answer(policy: WorkerPolicy) -> PolicyTrialResult:
    return PolicyTrialResult("d", PolicyReplayResult(calls=len(policy.place)))


def asked(state: Path, said: bytes = b"") -> PolicyTrialResult | bytes:
    """Ask an operator's socket that stands by itself."""

    async def both() -> PolicyTrialResult | bytes:
        with closing(await OperatorSocket.listen(state, _answer)):
            if not said:
                return await asyncio.to_thread(request_policy_trial, state, POLICY)
            where = str(operator_socket.operator_socket_path(state))
            reader, writer = await asyncio.open_unix_connection(where)
            writer.write(said)
            heard = await reader.read()
            writer.close()
            await writer.wait_closed()
            return heard

    return asyncio.run(both())


def test_the_operators_socket_answers_its_own_user(tmp_path: Path) -> None:
    assert asked(tmp_path) == PolicyTrialResult("d", PolicyReplayResult(calls=15))
    assert not operator_socket.operator_socket_path(tmp_path).exists()


def test_the_operators_socket_answers_no_other_user(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(operator_socket, "_peer_uid", lambda _: os.getuid() + 1)
    with pytest.raises(EnvironmentFailure, match="does not respond"):
        asked(tmp_path)


@pytest.mark.parametrize("said", [b"{}\n", b"\xff\n", b'{"type":"drain"}\n'])
def test_what_is_no_question_gets_no_answer(tmp_path: Path, said: bytes) -> None:
    assert asked(tmp_path, said) == b""
