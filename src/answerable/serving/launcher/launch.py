"""The story of one start: connect, make a child that waits, register it, let it run."""

import ctypes
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.model.ids import AgentId
from answerable.serving.launcher.child import Account, Child, account, environment_of
from answerable.serving.launcher.service import Registered, Service
from answerable.serving.launcher.waiting import block, restore, wait_for

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_LARGEST = 16 * 1024 * 1024  # bytes of a file that is digested


@dataclass(frozen=True, slots=True)
class Start:
    """What to start.

    Attributes:
        agent: As which agent.
        argv: Program and arguments.
        user: Name or number of the user to run it as; empty for our own.
        sts: Path of the token service's socket.
        files: The agent's configuration.
        quiet: Say nothing of ourselves.
    """

    agent: AgentId
    argv: tuple[str, ...]
    user: str
    sts: str
    files: tuple[str, ...]
    quiet: bool


def launch(start: Start, tell: Callable[[str], None]) -> int:
    """Start an agent and wait until it ends.

    Args:
        start: What.
        tell: Is given sentences for whoever reads standard error.

    Returns:
        Its exit code, 128 + n where signal n ended it.

    Raises:
        UsageError: There is no such program, user or file.
        EnvironmentRefused: The service says no or is not there; the program cannot run.
    """
    if sys.platform != "linux":
        raise EnvironmentRefused(
            "only Linux names processes so that nobody else is taken for them",
            "run it there, or give the workload a token of an issuer",
        )
    user = account(start.user) if start.user else None
    if user is not None and user.uid == os.geteuid():
        user = None
    request = {
        "agent": start.agent,
        "program": _program(start.argv[0]),
        "argv_sha256": _argv_digest(start.argv),
        "config_sha256": _files_digest(start.files),
    }
    service = Service(start.sts)
    mask = block()
    try:
        _take_in_orphans()
        return _run(start, user, request, service, mask, tell)
    finally:
        restore(mask)
        service.close()


def _run(
    start: Start,
    user: Account | None,
    request: dict[str, str],
    service: Service,
    mask: set[signal.Signals],
    tell: Callable[[str], None],
) -> int:
    child = Child(request["program"], start.argv, user, mask, service.socket)
    try:
        run = service.register(request | {"pid": child.pid, "start": child.start})
    except BaseException:
        child.abandon()
        raise
    if run.advisory and not start.quiet:
        tell(
            f"advisory: {start.agent} runs as its starter (uid {os.getuid()}), whose "
            "other processes can pass for it; --user makes it enforcing"
        )
    if user is not None and not start.quiet and _can_type():
        tell(
            "the terminal is shared: the agent can type into it; "
            "sysctl dev.tty.legacy_tiocsti=0 stops that"
        )
    try:
        child.begin(_environment(start, user, run))
        return wait_for(child.pid)
    finally:
        service.finish(run.run)


def _environment(start: Start, user: Account | None, run: Registered) -> dict[str, str]:
    own = dict(os.environ)
    base = own if user is None else environment_of(user, own)
    # Names of places. Whoever knows them is not believed for it.
    return base | {
        "ANSWERABLE_STS": os.path.abspath(start.sts),
        "ANSWERABLE_RUN": run.run,
    }


def _can_type() -> bool:
    """Say whether whoever has our terminal can put words into its input (TIOCSTI).

    Source: Documentation/admin-guide/sysctl, dev.tty.legacy_tiocsti, Linux 6.2.
    """
    if not any(os.isatty(handle) for handle in (0, 1, 2)):
        return False
    switch = Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not switch.exists() or switch.read_text("ascii").strip() != "0"


def _program(name: str) -> str:
    found = shutil.which(name)
    if found is None:
        raise UsageError(
            f"no such program (got {name!r})", "name one on PATH, or its path, after --"
        )
    return os.path.abspath(found)


def _argv_digest(argv: tuple[str, ...]) -> str:
    """Digest arguments as /proc/PID/cmdline writes them: a zero byte after each."""
    return hashlib.sha256(
        b"".join(os.fsencode(each) + b"\0" for each in argv)
    ).hexdigest()


def _files_digest(files: tuple[str, ...]) -> str:
    """Digest files in the order given; empty for none.

    Raises:
        UsageError: One cannot be read, or is too large.
    """
    digests = []
    for each in files:
        try:
            with Path(each).open("rb") as file:
                data = file.read(_LARGEST + 1)
        except OSError as error:
            raise UsageError(f"cannot read {each} ({error.strerror})") from None
        if len(data) > _LARGEST:
            raise UsageError(f"{each} is larger than {_LARGEST} bytes")
        digests.append(hashlib.sha256(data).digest())
    return hashlib.sha256(b"".join(digests)).hexdigest() if digests else ""


def _take_in_orphans() -> None:
    """Become the parent of what the agent leaves behind, so that it stays a part of it.

    Source: man 2 PR_SET_CHILD_SUBREAPER.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise EnvironmentRefused(f"cannot take in orphans ({os.strerror(code)})")
