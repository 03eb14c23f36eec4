"""What is said of whoever connected is so, and what is not said is said to be missing."""

import os
import socket
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from answerable.model.workload_attestation import Attestation, Attestor
from answerable.server.processes import peer_attestation
from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.pidfd_process import (
    NotAttested,
    ProcessGone,
    read_boot_id,
)
from tests.server.processes.connecting_process import ConnectingProcess

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

NO_OPTION = 9999
ANA = 1001 if os.getuid() == 0 else os.getuid()
BECOME = 0 if os.getuid() else ANA
as_root = pytest.mark.skipif(os.getuid() != 0, reason="takes other users' places")


def test_whoever_connected_is_named_by_kernel_facts(listener: socket.socket) -> None:
    with ConnectingProcess(listener, BECOME) as visitor:
        told = attest_peer(visitor.connection)
    assert told.attestor is Attestor.UNIX_PEER
    assert (told.process.boot, told.process.pid) == (read_boot_id(), visitor.pid)
    assert told.process.start > 0
    assert told.uid == ANA
    assert told.run == str(told.process)
    assert (told.agent, told.started_by, told.rule, told.started) == ("", -1, "", "")
    assert told.program == os.path.realpath(sys.executable)
    assert len(told.program_sha256) == 64
    assert told.advisory is (os.getuid() == ANA)


def test_it_says_what_it_proves_and_what_it_does_not(listener: socket.socket) -> None:
    with ConnectingProcess(listener, BECOME) as visitor:
        told = attest_peer(visitor.connection)
    assert told.proves[0].startswith(
        f"the connection was opened by a process of user {ANA} and group "
    )
    said = " ".join(told.does_not_prove)
    for hazard in (
        "inherit or receive the connection",
        "execute another program",
        "an interpreter",
    ):
        assert hazard in said


def test_without_a_pidfd_nothing_but_the_user_is_said(listener: socket.socket) -> None:
    with ConnectingProcess(listener, BECOME) as visitor:
        told = attest_peer(visitor.connection, peer_option=NO_OPTION)
    assert (told.uid, told.process.pid) == (ANA, visitor.pid)
    assert (told.unit, told.container, told.program, told.program_sha256) == ("",) * 4
    assert any("no pidfd of the peer" in each for each in told.does_not_prove)
    assert not any("alive" in each for each in told.proves)


@as_root
def test_the_superuser_is_refused_unless_a_rule_names_it(
    listener: socket.socket,
) -> None:
    with ConnectingProcess(listener) as visitor:
        with pytest.raises(NotAttested) as refused:
            attest_peer(visitor.connection)
        assert attest_peer(visitor.connection, allow_root=True).uid == 0
    assert refused.value.reason == "superuser"


@as_root
@pytest.mark.parametrize(
    "turn",
    [
        "os.setresuid(1002, 1002, 1002)",
        "os.setresuid(1001, 1002, 1001)",
        "os.setresuid(1001, 1001, 1002)",
        "os.setresgid(1001, 1001, 1002)",
        "os.setresgid(1002, 1002, 1002)",
    ],
)
def test_who_turns_into_somebody_else_is_nobody(
    listener: socket.socket, turn: str
) -> None:
    with ConnectingProcess(listener) as visitor:
        visitor.do("os.setresgid(1001, 1001, 1001)")
        visitor.do(
            "import ctypes; ctypes.CDLL(None).prctl(8, 1); "  # keep capabilities
            "there.close(); os.seteuid(1001); "
            "there = socket.socket(socket.AF_UNIX); "
            "there.connect(chr(0) + sys.argv[1]); os.seteuid(0)"
        )
        second = listener.accept()[0]
        visitor.do(turn if "uid" in turn else turn + "; os.setresuid(1001, 1001, 1001)")
        with second, pytest.raises(NotAttested) as refused:
            attest_peer(second)
    assert refused.value.reason == "several-users"


def test_whoever_ended_is_not_attested(listener: socket.socket) -> None:
    with ConnectingProcess(listener, BECOME) as visitor:
        visitor.end()
        for option in (77, NO_OPTION):
            with pytest.raises(ProcessGone):
                attest_peer(visitor.connection, peer_option=option)


def test_whoever_turns_while_facts_are_read_is_refused(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch
) -> None:
    real = peer_attestation.require_one_user

    def another(*args: object, **named: object) -> object:
        return replace(real(*args, **named), uids=(7, 7, 7))  # type: ignore[arg-type]

    monkeypatch.setattr(peer_attestation, "require_one_user", another)
    with (
        ConnectingProcess(listener, BECOME) as visitor,
        pytest.raises(NotAttested, match="a single user"),
    ):
        attest_peer(visitor.connection)


def test_unit_start_and_container_are_the_managers_word(
    listener: socket.socket, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    container = "ab" * 32
    monkeypatch.setattr(peer_attestation, "_UNITS", tmp_path)
    unit = f"docker-{container}.scope"
    (tmp_path / f"invocation:{unit}").symlink_to("0" * 32)
    real = peer_attestation.read_proc_file
    monkeypatch.setattr(
        peer_attestation,
        "read_proc_file",
        lambda file: (
            f"0::/system.slice/{unit}\n" if file.name == "cgroup" else real(file)
        ),
    )

    def told() -> Attestation:
        with ConnectingProcess(listener, BECOME) as visitor:
            return attest_peer(visitor.connection)

    first = told()
    assert (first.unit, first.container) == (unit, container)
    assert first.invocation == "0" * 32
    assert any(f"unit {unit}, invocation {'0' * 32}" in each for each in first.proves)
    assert "in the same container" in first.does_not_prove[0]
    # What is no id of a start is none.
    (tmp_path / f"invocation:{unit}").unlink()
    (tmp_path / f"invocation:{unit}").symlink_to("../etc/passwd")
    assert told().invocation == ""
