"""The kernel names the process at the other end, or nobody does."""

import os
import secrets
import socket
import subprocess
import sys
import time
from collections.abc import Iterator

import pytest

from answerable.server.processes.parent_process import read_parent
from answerable.server.processes.pidfd_process import ProcessGone, read_boot_id
from answerable.server.processes.unix_peer import read_unix_peer

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

NO_OPTION = 9999
CONNECT = (
    "import os, socket, sys; "
    "uid = int(sys.argv[2]); "
    "uid and (os.setgid(uid), os.setuid(uid)); "
    "there = socket.socket(socket.AF_UNIX); "
    "there.connect(chr(0) + sys.argv[1]); "
    "print('there', flush=True); "
    "sys.stdin.read()"
)


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    # An abstract name (man 7 unix): whoever runs as another user reaches it too.
    name = f"answerable-{os.getpid()}-{secrets.token_hex(8)}"
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind("\0" + name)
        listening.listen()
        listening.settimeout(60)
        yield listening


def connect(listener: socket.socket, uid: int = 0) -> "subprocess.Popen[bytes]":
    child = subprocess.Popen(
        [sys.executable, "-c", CONNECT, listener.getsockname()[1:].decode(), str(uid)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == b"there\n"
    return child


@pytest.mark.parametrize("option", [77, NO_OPTION])
def test_the_process_that_connected_is_named(
    listener: socket.socket, option: int
) -> None:
    with connect(listener) as child, listener.accept()[0] as accepted:
        peer = read_unix_peer(accepted, option)
        child.communicate(b"")
    assert (peer.pid, peer.uid, peer.gid) == (child.pid, os.getuid(), os.getgid())
    assert peer.start > 0


@pytest.mark.parametrize("option", [77, NO_OPTION])
def test_a_process_that_ended_is_not_described(
    listener: socket.socket, option: int
) -> None:
    with connect(listener) as child, listener.accept()[0] as accepted:
        child.communicate(b"")
        with pytest.raises(ProcessGone):
            read_unix_peer(accepted, option)


@pytest.mark.parametrize("option", [77, NO_OPTION])
def test_a_process_that_ended_and_was_not_waited_for_is_not_described(
    listener: socket.socket, option: int
) -> None:
    with connect(listener) as child, listener.accept()[0] as accepted:
        assert child.stdin is not None
        child.stdin.close()
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        with pytest.raises(ProcessGone):
            read_unix_peer(accepted, option)


@pytest.mark.skipif(os.getuid() != 0, reason="takes another user's place")
def test_the_user_is_that_of_the_process_and_not_ours(
    listener: socket.socket,
) -> None:
    with connect(listener, 1001) as child, listener.accept()[0] as accepted:
        assert read_unix_peer(accepted).uid == 1001
        child.communicate(b"")


def test_whoever_started_us_is_the_parent() -> None:
    script = (
        "from answerable.server.processes.parent_process import read_parent; "
        "told = read_parent(); "
        "print(told.peer.pid, told.peer.uid, told.advisory, told.executable)"
    )
    said = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, check=True, text=True
    ).stdout
    me = os.path.realpath(f"/proc/{os.getpid()}/exe")
    assert said.strip() == f"{os.getpid()} {os.getuid()} True {me}"


def test_the_first_process_of_a_container_may_have_started_us() -> None:
    """It may have inherited us as well, and has the same number then."""
    script = (
        "import os, sys, time\n"
        "from answerable.server.processes.parent_process import read_parent\n"
        "if os.fork():\n"
        "    os._exit(0)\n"
        "while os.getppid() != 1 and time.monotonic() < float(sys.argv[1]):\n"
        "    time.sleep(0.01)\n"
        "print(read_parent().peer.pid)\n"
    )
    said = subprocess.run(
        [sys.executable, "-c", script, str(time.monotonic() + 60)],
        capture_output=True,
        check=True,
        text=True,
    ).stdout
    assert said == "1\n"


def test_a_parent_that_ends_while_it_is_described_is_gone(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    born = iter((os.getppid(), 1))
    monkeypatch.setattr("os.getppid", lambda: next(born))
    with pytest.raises(ProcessGone):
        read_parent()


def test_we_are_a_child_ourselves() -> None:
    assert read_parent().peer.pid == os.getppid()
    assert len(read_boot_id()) == 36
