"""Read an operator's credential from a file, command, variable, or the keyring.

All of it blocks, and so runs in a thread. Error messages contain no text of a file or a
program.
"""

import os
import select
import signal
import stat
import subprocess
import time
from contextlib import suppress
from threading import Lock

from answerable.gateway.upstream_credentials.credential import MIN_LENGTH, is_sendable
from answerable.model.errors import AnswerableError
from answerable.model.upstream_credential import UpstreamCredential
from answerable.server.child_environment import build_clean_environment
from answerable.services.protection import os_keyring

MAX_SECRET = 8192  # bytes of a secret
COMMAND_TIMEOUT = 10.0  # seconds that a command has

FileStamp = tuple[int, ...]


class CredentialUnavailable(AnswerableError):  # noqa: N818 - says what becomes of the credential
    """Credential that is unavailable; the message states the reason in one line."""


def file_stamp(source: UpstreamCredential) -> FileStamp:
    """Return a file's device, inode, size and times; empty where it does not exist."""
    try:
        facts = os.stat(source.file)
    except OSError:
        return ()
    # A change of mode or owner also changes the last one.
    return (
        facts.st_dev,
        facts.st_ino,
        facts.st_size,
        facts.st_mtime_ns,
        facts.st_ctime_ns,
    )


class ProcessGroups:
    """Process groups of running commands, to be killed at the end."""

    def __init__(self) -> None:
        self._leaders: set[int] = set()
        self._lock = Lock()

    def add(self, leader_pid: int) -> None:
        """Register the process group of a secret command, to kill it later."""
        with self._lock:
            self._leaders.add(leader_pid)

    def kill(self, leader_pid: int) -> None:
        """Kill one process group.

        The pid is not reused as long as its leader is not reaped.
        """
        with self._lock:
            if leader_pid in self._leaders:
                self._leaders.remove(leader_pid)
                with suppress(ProcessLookupError):
                    os.killpg(leader_pid, signal.SIGKILL)

    def kill_all(self) -> None:
        """Kill all process groups."""
        for leader in list(self._leaders):
            self.kill(leader)


def read_secret(source: UpstreamCredential, process_groups: ProcessGroups) -> str:
    """Read a secret from its environment variable, file or command.

    Args:
        source: Configured source.
        process_groups: Registry of the command while it runs.

    Raises:
        Unshown: It does not exist, or cannot be sent as it is.
    """
    try:
        data = _read_secret_source(source, process_groups)
    except OSError as error:
        raise CredentialUnavailable(f"it cannot be read ({error.strerror})") from None
    if len(data) > MAX_SECRET:
        raise CredentialUnavailable(f"it is larger than {MAX_SECRET} bytes")
    secret = data.decode("latin-1").removesuffix("\n").removesuffix("\r")
    if not is_sendable(secret):
        raise CredentialUnavailable(
            f"expected at least {MIN_LENGTH} visible ASCII characters"
        )
    return secret


def read_secret_text(path: str) -> str:
    """Read a secret of any characters from a file; one line end is removed.

    Raises:
        CredentialUnavailable: It cannot be read, or other users may access it.
    """
    try:
        is_entry = path.startswith(os_keyring.PREFIX)
        data = _read_keyring_entry(path) if is_entry else _read_secret_file(path)
        secret = data.decode().removesuffix("\n")
    except OSError as error:
        raise CredentialUnavailable(f"it cannot be read ({error.strerror})") from None
    except UnicodeDecodeError:
        raise CredentialUnavailable("it is not UTF-8") from None
    if len(data) > MAX_SECRET or "\0" in secret:
        raise CredentialUnavailable(
            f"it is larger than {MAX_SECRET} bytes or contains a NUL"
        )
    return secret


def _read_secret_source(
    source: UpstreamCredential, process_groups: ProcessGroups
) -> bytes:
    """Read the bytes of a secret from its file, command or variable."""
    if source.file:
        return _read_secret_file(source.file)
    if source.command:
        return _run_secret_command(source.command, process_groups)
    if source.keyring:
        return _read_keyring_entry(f"{os_keyring.PREFIX}{source.keyring}")
    if source.env not in os.environ:
        raise CredentialUnavailable("the variable is not set")
    return os.environb[source.env.encode()]


def _read_keyring_entry(name: str) -> bytes:
    """Read an entry of the operating system's keyring."""
    try:
        data = os_keyring.read_entry(name)
    except AnswerableError as error:
        raise CredentialUnavailable(error.message) from None
    if data is None:
        raise CredentialUnavailable("the keyring has no such entry")
    return data


def _read_secret_file(path: str) -> bytes:
    """Read a secret file; reject one that other users may access."""
    # A pipe without a writer would block for ever.
    file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
    with os.fdopen(file, "rb") as opened:
        facts = os.fstat(opened.fileno())
        if not stat.S_ISREG(facts.st_mode):
            raise CredentialUnavailable("it is not a regular file")
        if _is_shared(facts):
            raise CredentialUnavailable(
                "others can read or write the file (expected mode 0600)"
            )
        return opened.read(MAX_SECRET + 2)


def _is_shared(file_stat: os.stat_result) -> bool:
    """Return whether other users can read a file, or could have written it.

    A file of root may be readable by our group.
    """
    owner, mode = file_stat.st_uid, file_stat.st_mode
    if owner == os.geteuid():
        return bool(mode & (stat.S_IRWXG | stat.S_IRWXO))
    return owner != 0 or bool(mode & (stat.S_IWGRP | stat.S_IRWXO))


def _run_secret_command(argv: tuple[str, ...], process_groups: ProcessGroups) -> bytes:
    """Run a command in a clean environment, and return its bounded output."""
    running = subprocess.Popen(  # noqa: S603 - the operator's own words
        argv,
        bufsize=0,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # it may contain the secret
        env=build_clean_environment(),
        cwd="/",
        process_group=0,
    )
    until = time.monotonic() + COMMAND_TIMEOUT
    process_groups.add(running.pid)
    with running:
        try:
            data = _read_command_output(running, until)
            _wait_for_exit(running.pid, until)
        finally:
            process_groups.kill(running.pid)  # and the end of this block waits for it
    if running.returncode != 0:
        raise CredentialUnavailable(f"the command ended with {running.returncode}")
    return data


def _read_command_output(process: "subprocess.Popen[bytes]", deadline: float) -> bytes:
    """Read a command's output until its end, with size limit and deadline."""
    out = process.stdout
    assert out is not None  # noqa: S101 - it was asked for
    data = b""
    while len(data) <= MAX_SECRET + 2:
        _wait_readable(out.fileno(), deadline)
        piece = out.read(MAX_SECRET)
        if not piece:
            return data
        data += piece
    raise CredentialUnavailable(f"it is larger than {MAX_SECRET} bytes")


def _wait_for_exit(pid: int, deadline: float) -> None:
    """Wait until a process has exited, or raise at the deadline."""
    handle = os.pidfd_open(pid)
    try:
        _wait_readable(handle, deadline)
    finally:
        os.close(handle)


def _wait_readable(descriptor: int, deadline: float) -> None:
    """Wait until a descriptor is readable; `select` has no high descriptors."""
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    if not poll.poll(max(deadline - time.monotonic(), 0) * 1000):
        raise CredentialUnavailable(
            f"the command took more than {COMMAND_TIMEOUT:.0f} seconds"
        )
