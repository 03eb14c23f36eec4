"""Where an operator keeps a credential: a file, the output of a command, a variable.

All of it blocks, and so runs beside the calls. What goes wrong is told in words of ours:
no text of a file or a program is among them.
"""

import os
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from threading import Lock

from answerable.gateway.shown.credential import LEAST, is_fit
from answerable.model.errors import AnswerableError
from answerable.model.upstream_credential import UpstreamCredential
from answerable.serving.clean_environment import clean_environment

MOST = 8192  # bytes of a secret
WITHIN = 10.0  # seconds that a command has

Stamp = tuple[int, ...]


class Unshown(AnswerableError):  # noqa: N818 - says what becomes of the credential
    """There is no credential to show; the message says why in one line."""


def stamp(source: UpstreamCredential) -> Stamp:
    """Say by what a file is known to be the same; empty where it is not there."""
    try:
        facts = os.stat(source.file)
    except OSError:
        return ()
    # What its mode or owner became says whether it may still be used.
    return (
        facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns,
    )  # fmt: skip


class Groups:
    """Commands that run, so that they can be ended with us."""

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        self._lock = Lock()

    def add(self, leader: int) -> None:
        """One runs, as the leader of its process group."""
        with self._lock:
            self._leaders.add(leader)

    def end(self, leader: int) -> None:
        """End one with all that it started.

        Its number is nobody else's as long as it is not waited for.
        """
        with self._lock:
            if leader in self._leaders:
                self._leaders.remove(leader)
                with suppress(ProcessLookupError):
                    os.killpg(leader, signal.SIGKILL)

    def close(self) -> None:
        """End all of them."""
        for leader in list(self._leaders):
            self.end(leader)


def read(source: UpstreamCredential, groups: Groups) -> str:
    """Get a secret from where it is kept.

    Args:
        source: Where that is.
        groups: Is told of a command while it runs.

    Raises:
        Unshown: It is not there, or it cannot be shown as it is.
    """
    try:
        data = _data(source, groups)
    except OSError as error:
        raise Unshown(f"it cannot be read ({error.strerror})") from None
    if len(data) > MOST:
        raise Unshown(f"it has more than {MOST} bytes")
    secret = data.decode("latin-1").removesuffix("\n").removesuffix("\r")
    if not is_fit(secret):
        raise Unshown(f"{LEAST} visible characters of ASCII or more were expected")
    return secret


def _data(source: UpstreamCredential, groups: Groups) -> bytes:
    if source.file:
        return _of_file(source.file)
    if source.command:
        return _of_command(source.command, groups)
    if source.env not in os.environ:
        raise Unshown("the variable is not set")
    return os.environb[source.env.encode()]


def _of_file(path: str) -> bytes:
    # A pipe that nobody writes to would have us wait for ever.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise Unshown("it is no file")
        if _is_open(facts):
            raise Unshown("others may read or write the file: its mode should be 0600")
        return opened.read(MOST + 2)


def _is_open(facts: os.stat_result) -> bool:
    """Say whether anybody but us can read a file, or could have written it.

    One of root's may be open to a group: it was given to ours.
    """
    owner, mode = facts.st_uid, facts.st_mode
    if owner == os.geteuid():
        return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))
    return owner != 0 or bool(mode & (stat.S_IWGRP | stat.S_IRWXO))


def _of_command(argv: tuple[str, ...], groups: Groups) -> bytes:
    """Run a command in a clean environment; what it writes, within bounds."""
    running = subprocess.Popen(  # noqa: S603 - the operator's own words
        argv,
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # nobody knows what it writes there
        env=clean_environment(),
        cwd="/",
        process_group=0,
    )
    until = time.monotonic() + WITHIN
    groups.add(running.pid)
    with running:
        try:
            data = _output(running, until)
            _wait(running.pid, until)
        finally:
            groups.end(running.pid)  # and the end of this block waits for it
    if running.returncode != 0:
        raise Unshown(f"the command ended with {running.returncode}")
    return data


def _output(running: "subprocess.Popen[bytes]", until: float) -> bytes:
    out = running.stdout
    assert out is not None  # noqa: S101 - it was asked for
    data = b""
    while len(data) <= MOST + 2:
        _poll(out.fileno(), until)
        piece = out.read(MOST)
        if not piece:
            return data
        data += piece
    raise Unshown(f"it has more than {MOST} bytes")


def _wait(pid: int, until: float) -> None:
    handle = os.pidfd_open(pid)
    try:
        _poll(handle, until)
    finally:
        os.close(handle)


def _poll(handle: int, until: float) -> None:
    """Wait until there is something to hear of; `select` knows no high handles."""
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    if not poll.poll(max(until - time.monotonic(), 0) * 1000):
        raise Unshown(f"the command took more than {WITHIN:.0f} seconds")
