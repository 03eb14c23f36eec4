"""Who belongs to a run, and until when."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from answerable.model.workload_attestation import Attestor
from answerable.server.processes import run_registry as registry
from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.pidfd_process import (
    PidfdProcess,
    ProcessGone,
    open_pidfd,
)
from answerable.server.processes.run_registration import finish_run
from answerable.server.processes.run_registry import RegisteredRun, RunRegistry
from tests.server.processes.connecting_process import ConnectingProcess
from tests.server.processes.launcher_process import (
    AGENT,
    ANA,
    BO,
    LauncherProcess,
    asked,
    hold,
    made,
)

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(os.getuid() != 0, reason="starts processes of another user"),
]

# The end.


def test_a_run_ends_with_its_process(
    listener: socket.socket, runs: RunRegistry, gone: list[RegisteredRun]
) -> None:
    with LauncherProcess(listener) as launcher:
        run = asked(runs, launcher).run
        assert list(runs) == [run]
    assert list(runs) == []
    assert gone == [run]
    assert list((runs._folder).iterdir()) == []


def test_its_launcher_ends_it_and_nobody_else(
    listener: socket.socket, runs: RunRegistry, gone: list[RegisteredRun]
) -> None:
    with LauncherProcess(listener) as launcher, ConnectingProcess(listener) as other:
        run = asked(runs, launcher).run
        assert run is not None
        foreign = finish_run(runs, other.connection, run.id)
        unknown = finish_run(runs, launcher.connection, "0" * 32)
        assert (foreign.status, foreign.body) == (404, unknown.body)
        assert (foreign.reason, unknown.reason) == ("no-such-run", "")
        assert list(runs) == [run]
        assert finish_run(runs, launcher.connection, run.id).status == 204
        assert finish_run(runs, launcher.connection, run.id).status == 404
        with PidfdProcess(open_pidfd(launcher.root), launcher.root) as root:
            assert runs.find_by_process(root) is None
    assert gone == [run]


def test_a_run_that_begins_in_the_same_instant_is_seen(
    listener: socket.socket, runs: RunRegistry, tmp_path: Path
) -> None:
    other = RunRegistry(tmp_path / "state")
    for _ in range(20):
        with LauncherProcess(listener) as launcher:
            run = asked(runs, launcher).run
            with hold(launcher.root) as root:
                assert other.find_by_process(root) == run
    other.close()


# A service that starts anew, and several processes of one.


def test_another_process_of_the_service_knows_the_run(
    listener: socket.socket, runs: RunRegistry, tmp_path: Path
) -> None:
    other = RunRegistry(tmp_path / "state")
    with LauncherProcess(listener) as launcher:
        run = asked(runs, launcher).run
        assert list(other) == [run]
        with hold(launcher.root) as root:
            assert other.find_by_process(root) == run
        assert run is not None
        runs.end_run(run)
        assert list(other) == []
    other.close()


def test_a_service_that_starts_anew_knows_living_runs_and_no_others(
    listener: socket.socket, runs: RunRegistry, tmp_path: Path
) -> None:
    with LauncherProcess(listener) as lives, LauncherProcess(listener) as ends:
        run, other = asked(runs, lives).run, asked(runs, ends).run
        assert run is not None
        assert other is not None
        runs.close()
        ends.end()
        gone: list[RegisteredRun] = []
        anew = RunRegistry(tmp_path / "state", gone.append)
        assert list(anew) == [run]
        assert gone == [other]
        assert finish_run(anew, lives.connection, run.id).status == 204
        anew.close()


@pytest.mark.parametrize("what", ["boot", "start", "pid"])
def test_a_file_is_believed_only_of_the_process_it_names(
    listener: socket.socket, runs: RunRegistry, tmp_path: Path, what: str
) -> None:
    with LauncherProcess(listener) as launcher:
        run = asked(runs, launcher).run
        assert run is not None
        runs.close()
        process = {
            "boot": replace(run.process, boot="0" * 36),
            "start": replace(run.process, start=run.process.start - 1),
            "pid": replace(run.process, pid=os.getpid()),
        }[what]
        file = tmp_path / "state" / "runs" / run.id
        file.write_bytes(msgspec.json.encode(replace(run, process=process)))
        anew = RunRegistry(tmp_path / "state")
        assert list(anew) == []
        assert not file.exists()
        anew.close()


@pytest.mark.parametrize("bytes_", [b"", b"{", b"[]", b'{"id": "x"}'])
def test_a_file_that_is_no_run_is_nobodys(
    runs: RunRegistry, tmp_path: Path, bytes_: bytes
) -> None:
    file = tmp_path / "state" / "runs" / ("0" * 32)
    file.write_bytes(bytes_)
    (file.parent / ".half.new").write_bytes(b"{")
    assert list(runs) == []
    assert not file.exists()


# Who belongs.


def test_descendants_are_attested_as_the_agent(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with LauncherProcess(listener) as launcher:
        run = asked(runs, launcher).run
        assert run is not None
    with ConnectingProcess(listener, ANA) as visitor:
        # It is our child, and so are neighbours: the launcher has to be another.
        process = hold(visitor.pid)
        run = replace(made(process), launcher=registry.identify_process(process))
        runs.register_run(run, process, hold(visitor.pid))
        told = attest_peer(visitor.connection, runs)
        assert told.attestor is Attestor.LAUNCHER
        assert (told.run, told.agent, told.rule) == (run.name, AGENT, "r1")
        assert (told.started, told.started_by) == ("/usr/bin/bot", 0)
        assert not told.advisory
        assert any("or its descendant" in each for each in told.proves)
        assert any("terminal of user 0" in each for each in told.does_not_prove)
        assert attest_peer(visitor.connection).attestor is Attestor.UNIX_PEER
        # Without a pidfd of the peer's it could be anybody's descendant.
        blind = attest_peer(visitor.connection, runs, peer_option=9999)
        assert blind.attestor is Attestor.UNIX_PEER
        with ConnectingProcess(listener, ANA) as neighbour:
            told = attest_peer(neighbour.connection, runs)
            assert told.attestor is Attestor.UNIX_PEER


def test_a_descendant_of_another_user_is_not_the_agent(
    listener: socket.socket, runs: RunRegistry
) -> None:
    with ConnectingProcess(listener, BO) as visitor:
        process = hold(visitor.pid)
        runs.register_run(made(process, ANA), process, hold(visitor.pid))
        told = attest_peer(visitor.connection, runs)
        assert (told.attestor, told.uid, told.agent) == (Attestor.UNIX_PEER, BO, "")
        # It descends from one all the same, and starts no other.
        with hold(visitor.pid) as process:
            assert runs.find_ancestor_run(process) is not None


def test_those_between_may_end_while_parents_are_looked_up(
    listener: socket.socket, runs: RunRegistry, monkeypatch: pytest.MonkeyPatch
) -> None:
    real, ends = registry.open_parent_process, iter((True, True, False))

    def parent_of(child: PidfdProcess) -> PidfdProcess | None:
        if next(ends, False):
            raise ProcessGone
        return real(child)

    with (
        LauncherProcess(listener) as launcher,
        ConnectingProcess(listener, ANA) as visitor,
    ):
        assert asked(runs, launcher).status == 201
        monkeypatch.setattr(registry, "open_parent_process", parent_of)
        assert attest_peer(visitor.connection, runs).agent == ""
        monkeypatch.setattr(
            registry, "open_parent_process", lambda child: parent_of(dead)
        )
        dead = hold(visitor.pid)
        visitor.end()
        with dead, pytest.raises(ProcessGone):
            runs.find_by_process(dead)
