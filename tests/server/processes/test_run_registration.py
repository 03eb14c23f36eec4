"""Who may register a run, by the kernel's word and by the rules."""

import json
import os
import socket
import sys

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.server.processes import run_registry as registry
from answerable.server.processes.pidfd_process import PidfdProcess, open_pidfd
from answerable.server.processes.run_registration import (
    LaunchRequest,
    LaunchRevoked,
    register_run,
)
from answerable.server.processes.run_registry import RunRegistry
from tests.server.processes.launcher_process import (
    AGENT,
    ANA,
    NOW,
    LauncherProcess,
    asked,
    hold,
    made,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(os.getuid() != 0, reason="starts processes of another user"),
]


def test_a_run_is_taken_up_as_the_kernel_sees_it(
    listener: socket.socket, runs: RunRegistry
) -> None:
    seen: list[LaunchRequest] = []
    with LauncherProcess(listener) as launcher:
        answer = asked(runs, launcher, lambda launch: seen.append(launch) or "r1")
        run = answer.run
        assert answer.status == 201
        assert run is not None
        assert seen == [LaunchRequest(AGENT, 0, ANA, "/usr/bin/bot")]  # type: ignore[arg-type]
        assert (run.process.pid, run.launcher.pid) == (launcher.root, launcher.pid)
        assert (run.started_by, run.uid, run.rule) == (0, ANA, "r1")
        assert not run.is_advisory
        told = {"run": run.name, "rule": "r1", "advisory": False}
        assert json.loads(answer.body) == told
        with PidfdProcess(open_pidfd(launcher.root), launcher.root) as root:
            assert runs.find_by_process(root) == run


def test_whoever_starts_as_himself_is_told_that_it_is_advice(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener, ANA) as launcher:
        answer = asked(runs, launcher)
    assert answer.run is not None
    assert answer.run.is_advisory
    assert json.loads(answer.body)["advisory"] is True


def test_no_rule_is_no_run(listener: socket.socket, runs: RunRegistry) -> None:
    with LauncherProcess(listener, ANA) as launcher:
        answer = asked(runs, launcher, lambda launch: "")
    assert (answer.status, answer.reason) == (403, "no-rule")
    said = json.loads(answer.body)["error_description"]
    assert said == f"no rule lets user {ANA} start {AGENT} as user {ANA}"
    assert list(runs) == []


def test_a_kill_is_told_to_whom_a_rule_allows_it(
    listener: socket.socket, runs: RunRegistry
) -> None:
    def allows(launch: LaunchRequest) -> str:
        raise LaunchRevoked(
            launch.agent, " by ana@corp.example at 2026-11-27T19:00:00Z"
        )

    with LauncherProcess(listener, ANA) as launcher:
        answer = asked(runs, launcher, allows)
    assert (answer.status, answer.reason) == (403, "killed")
    said = json.loads(answer.body)["error_description"]
    assert said == f"{AGENT} is killed by ana@corp.example at 2026-11-27T19:00:00Z"
    assert list(runs) == []


BAD: list[dict[str, object]] = [
    {"agent": "bot"},
    {"agent": "agent:a b"},
    {"agent": 7},
    {"pid": 0},
    {"pid": -1},
    {"pid": 2**31},
    {"pid": True},
    {"pid": "7"},
    {"start": -1},
    {"start": 1e308},
    {"program": "bot"},
    {"program": "/bin/x\n"},
    {"program": "/" + "x" * 5000},
    {"argv_sha256": "0" * 63},
    {"argv_sha256": "A" * 64},
    {"config_sha256": "x"},
    {"uid": 0},
    {"reason": "my owner said that I may"},
    {"started_by": 0},
]


@pytest.mark.parametrize("other", BAD, ids=str)
def test_what_is_no_request_is_refused(
    listener: socket.socket, runs: RunRegistry, other: dict[str, object]
) -> None:
    whole = {
        "agent": AGENT,
        "pid": 1,
        "start": 1,
        "program": "/x",
        "argv_sha256": "0" * 64,
    }
    here, there = socket.socketpair()
    with here, there:
        body = json.dumps(whole | other).encode()
        assert register_run(runs, here, body, lambda _: "r1", NOW).status == 400


@pytest.mark.parametrize(
    "body", [b"", b"{}", b"[]", b"[" * 10_000, b"\xff", b" " * 20_000, b"null"]
)
def test_what_is_no_json_is_refused(runs: RunRegistry, body: bytes) -> None:
    here, there = socket.socketpair()
    with here, there:
        assert register_run(runs, here, body, lambda _: "r1", NOW).status == 400


def test_only_a_child_of_its_own_is_taken(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener) as launcher, LauncherProcess(listener) as other:
        for body in (
            other.request(),
            launcher.request(pid=launcher.pid),
            launcher.request(pid=os.getpid()),
            launcher.request(pid=1),
            launcher.request(start=1),
        ):
            answer = register_run(runs, launcher.connection, body, lambda _: "r1", NOW)
            assert (answer.status, answer.reason) == (403, "no-child")
        gone = launcher.request(pid=2**31 - 1)
        answer = register_run(runs, launcher.connection, gone, lambda _: "r1", NOW)
        assert (answer.status, answer.reason) == (403, "process-gone")


def test_a_child_that_runs_already_is_not_taken(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener) as launcher:
        launcher.do(
            "import subprocess; old, child = child, subprocess.Popen("
            "['sleep', '30'], user=1001, group=1001, extra_groups=[]).pid"
        )
        launcher.root = int(launcher.do("print(child, flush=True)"))
        launcher.said()
        assert asked(runs, launcher).reason == "has-begun"
        launcher.do("os.kill(old, 9); os.waitpid(old, 0)")


def test_the_superuser_is_no_agent(listener: socket.socket, runs: RunRegistry) -> None:
    with LauncherProcess(listener, child=0) as launcher:
        assert asked(runs, launcher).reason == "superuser"


def test_a_launcher_has_one_run(listener: socket.socket, runs: RunRegistry) -> None:
    with LauncherProcess(listener) as launcher:
        assert asked(runs, launcher).status == 201
        assert asked(runs, launcher).reason == "has-a-run"


def test_an_agent_registers_no_other_agent(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener, ANA) as launcher:
        # The process of the run is itself a launcher: it connected, and has a child.
        with PidfdProcess(open_pidfd(launcher.pid), launcher.pid) as process:
            run = made(process)
            runs.register_run(
                run,
                PidfdProcess(open_pidfd(launcher.pid), launcher.pid),
                hold(os.getpid()),
            )
        answer = asked(runs, launcher)
    assert (answer.status, answer.reason) == (403, "inside-a-run")


def test_one_user_cannot_have_all_runs(
    listener: socket.socket, runs: RunRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(registry, "MAX_RUNS_PER_USER", 1)
    with LauncherProcess(listener) as one, LauncherProcess(listener) as two:
        assert asked(runs, one).status == 201
        assert asked(runs, two).status == 503
        with LauncherProcess(listener, ANA) as three:
            assert asked(runs, three).status == 201


def test_a_disk_that_refuses_is_said(
    listener: socket.socket, runs: RunRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise EnvironmentFailure("no space")

    monkeypatch.setattr(registry, "write_file", full)
    with LauncherProcess(listener) as launcher:
        before = len(os.listdir("/proc/self/fd"))
        assert asked(runs, launcher).status == 503
        assert len(os.listdir("/proc/self/fd")) == before
    assert list(runs) == []


def test_refusals_leave_nothing_open(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener, ANA) as launcher:
        before = len(os.listdir("/proc/self/fd"))
        for _ in range(10):
            asked(runs, launcher, lambda launch: "")
            asked(runs, launcher, pid=1)
        assert len(os.listdir("/proc/self/fd")) == before
