"""Launch an agent: connect, fork a waiting child, register it, start its program."""

import ctypes
import hashlib
import os
import shutil
import signal
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.model.ids import AgentId
from answerable.server.launcher.child_wait import (
    block_signals,
    restore_signals,
    wait_for_child,
)
from answerable.server.launcher.run_registration_client import (
    RunRegistration,
    RunServiceClient,
)
from answerable.server.launcher.terminal_session import (
    run_in_session,
    set_foreground_group,
)
from answerable.server.launcher.waiting_child import (
    ACCOUNT_NAMES,
    UserAccount,
    WaitingChild,
    build_environment,
    find_user_account,
)

_PR_SET_CHILD_SUBREAPER = 36  # <linux/prctl.h>
_MAX_FILE = 16 * 1024 * 1024  # bytes of a file that is digested


@dataclass(frozen=True, slots=True)
class AgentStart:
    """Parameters of a start.

    Attributes:
        agent: Id of the agent.
        user: Name or number of the user that it runs as; empty for our own.
        environment: Names of further variables for another user's agent.
        descriptors: Open files above 2 for it.
        shares_terminal: It uses our terminal instead of one of its own.
        sts: Path of the token service's socket.
        files: Configuration files of the agent.
        quiet: Print nothing of our own.
    """

    agent: AgentId
    argv: tuple[str, ...]
    user: str
    environment: tuple[str, ...]
    descriptors: tuple[int, ...]
    shares_terminal: bool
    sts: str
    files: tuple[str, ...]
    quiet: bool


def launch_agent(agent_start: AgentStart, print_line: Callable[[str], None]) -> int:
    """Launch an agent, wait for its end, and return its exit code.

    Args:
        agent_start: Parameters of the start.
        print_line: Writes a line to standard error.

    Returns:
        Its exit code, 128 + n where signal n ended it.

    Raises:
        UsageError: There is no such program, user or file.
        EnvironmentFailure: The service refuses or does not run; the program cannot run.
    """
    if sys.platform != "linux":
        raise EnvironmentFailure(
            "only Linux identifies processes unambiguously",
            "run it on Linux, or give the workload a token of an issuer",
        )
    user = find_user_account(agent_start.user) if agent_start.user else None
    _check_passed_resources(agent_start)
    request = {
        "agent": agent_start.agent,
        "program": _find_program(agent_start.argv[0]),
        "argv_sha256": _digest_argv(agent_start.argv),
        "config_sha256": _digest_files(agent_start.files),
    }

    def work() -> int:
        service = RunServiceClient(agent_start.sts)
        mask = block_signals()
        try:
            _become_subreaper()
            return _register_and_run(
                agent_start, user, request, service, mask, print_line
            )
        finally:
            restore_signals(mask)
            service.close()

    if user is None or agent_start.shares_terminal:
        return work()
    return run_in_session(user, work)


def _register_and_run(
    agent_start: AgentStart,
    user: UserAccount | None,
    request: dict[str, str],
    service: RunServiceClient,
    mask: set[signal.Signals],
    print_line: Callable[[str], None],
) -> int:
    """Fork the agent, register its run, start its program and wait for it."""
    child = WaitingChild(
        request["program"],
        agent_start.argv,
        None if user is None or user.uid == os.geteuid() else user,
        mask,
        service.socket,
        kept=None if user is None else agent_start.descriptors,
    )
    try:
        if user is not None and not agent_start.shares_terminal:
            os.setpgid(child.pid, child.pid)
            set_foreground_group(child.pid)
        run = service.register(request | {"pid": child.pid, "start": child.start})
    except BaseException:
        child.abandon()
        raise
    if run.advisory and not agent_start.quiet:
        print_line(
            f"advisory: {agent_start.agent} runs as the user who started it (uid "
            f"{os.getuid()}), so other processes of this user can impersonate it; "
            "use --user to enforce"
        )
    if (
        user is not None
        and agent_start.shares_terminal
        and not agent_start.quiet
        and _can_inject_input()
    ):
        print_line(
            "the terminal is shared: the agent can inject input into it; to "
            "prevent this, set sysctl dev.tty.legacy_tiocsti=0"
        )
    try:
        child.start_program(_build_environment(agent_start, user, run))
        return wait_for_child(child.pid)
    finally:
        service.finish(run.run)


def _build_environment(
    agent_start: AgentStart, user: UserAccount | None, run: RunRegistration
) -> dict[str, str]:
    """Build the environment of the agent, with the socket and the run id."""
    base = dict(os.environ)
    if user is not None:
        base = build_environment(user, agent_start.environment)
    # Locations only: they prove nothing.
    return base | {
        "ANSWERABLE_STS": os.path.abspath(agent_start.sts),
        "ANSWERABLE_RUN": run.run,
    }


def _check_passed_resources(agent_start: AgentStart) -> None:
    """Check that the variables and files for another user's agent exist.

    Raises:
        UsageError: A variable is not set, a descriptor not open; or no user is named.
    """
    if not agent_start.user and (agent_start.environment or agent_start.descriptors):
        raise UsageError(
            "--env and --fd require --user",
            "without --user, the agent inherits your environment and open files",
        )
    for name in agent_start.environment:
        if name in ACCOUNT_NAMES:
            raise UsageError(
                f"{name} is set from --user (got --env {name})", f"omit --env {name}"
            )
        if name not in os.environ:
            raise UsageError(
                f"unknown environment variable (got --env {name!r}, expected one "
                "that is set)",
                "give only the name, and set its value in the environment: "
                f"{name}=... answerable",
            )
    for handle in agent_start.descriptors:
        try:
            os.fstat(handle)
        except OSError:
            raise UsageError(
                f"file descriptor {handle} is not open (got --fd {handle})",
                "open it in the shell: answerable run --fd 3 ... 3<FILE",
            ) from None
        if os.isatty(handle):
            raise UsageError(
                f"a terminal cannot be passed (got --fd {handle})",
                "the agent gets its own terminal, or yours with --no-pty",
            )


def _can_inject_input() -> bool:
    """Return whether a process with our terminal can inject input into it (TIOCSTI).

    Source: Documentation/admin-guide/sysctl, dev.tty.legacy_tiocsti, Linux 6.2.
    """
    if not any(os.isatty(handle) for handle in (0, 1, 2)):
        return False
    switch = Path("/proc/sys/dev/tty/legacy_tiocsti")
    return not switch.exists() or switch.read_text("ascii").strip() != "0"


def _find_program(name: str) -> str:
    """Return the absolute path of a program on PATH."""
    found = shutil.which(name)
    if found is None:
        raise UsageError(
            f"no such program (got {name!r})",
            "name a program on PATH, or its path, after --",
        )
    return os.path.abspath(found)


def _digest_argv(argv: tuple[str, ...]) -> str:
    """Return the SHA-256 of arguments in the form of /proc/PID/cmdline."""
    return hashlib.sha256(
        b"".join(os.fsencode(each) + b"\0" for each in argv)
    ).hexdigest()


def _digest_files(files: tuple[str, ...]) -> str:
    """Return the SHA-256 of files in the given order; empty for none.

    Raises:
        UsageError: One cannot be read, or is too large.
    """
    digests = []
    for each in files:
        try:
            with Path(each).open("rb") as file:
                data = file.read(_MAX_FILE + 1)
        except OSError as error:
            raise UsageError(
                f"cannot read {each} ({error.strerror})",
                "name a readable file, or omit --agent-file",
            ) from None
        if len(data) > _MAX_FILE:
            raise UsageError(
                f"{each} is larger than {_MAX_FILE} bytes",
                "name a smaller configuration file of the agent",
            )
        digests.append(hashlib.sha256(data).digest())
    return hashlib.sha256(b"".join(digests)).hexdigest() if digests else ""


def _become_subreaper() -> None:
    """Become the subreaper of the agent's orphans, so that they stay in its run.

    Source: man 2 PR_SET_CHILD_SUBREAPER.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
        code = ctypes.get_errno()
        raise EnvironmentFailure(
            f"cannot become a child subreaper ({os.strerror(code)})"
        )
