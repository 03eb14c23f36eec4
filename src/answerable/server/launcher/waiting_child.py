"""Fork a child that waits at a pipe, as its final user, before it executes.

Over one pipe it gets its environment and the start signal; over the other it reports
that it is ready, and an error if it does not start. That one closes by itself when the
program starts.
"""

import ctypes
import errno
import os
import pwd
import signal
import socket
from collections.abc import Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

import msgspec

from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.server.child_environment import (
    TERMINAL_VARIABLES,
    build_clean_environment,
)
from answerable.server.processes.pidfd_process import read_proc_file
from answerable.server.processes.proc_parsing import parse_start_time

_READY = b"!"
_FAILED = 127  # exit code of a child that never started
_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL = 47, 4  # <linux/prctl.h>
_SYS_KEYCTL = {"x86_64": 250, "aarch64": 219}  # <asm/unistd.h>
_KEYCTL_JOIN_SESSION_KEYRING = 1  # <linux/keyctl.h>
_NO_KEYRINGS = (errno.ENOSYS, errno.EPERM)  # a kernel or container without them
# Variables of the account, in place of the starter's.
ACCOUNT_NAMES = ("HOME", "LOGNAME", "SHELL", "USER")


@dataclass(frozen=True, slots=True)
class UserAccount:
    """User account for the child."""

    name: str
    uid: int
    gid: int
    home: str
    shell: str


def find_user_account(name_or_uid: str) -> UserAccount:
    """Find a user account by name or number.

    Raises:
        UsageError: There is none, or it is root.
    """
    try:
        found = (
            pwd.getpwuid(int(name_or_uid))
            if name_or_uid.isdecimal()
            else pwd.getpwnam(name_or_uid)
        )
    except (KeyError, OverflowError):
        raise UsageError(
            f"no such user (got {name_or_uid!r})",
            "create a user for the agent: useradd --system",
        ) from None
    if found.pw_uid == 0:
        raise UsageError(
            "an agent cannot run as the superuser",
            "create a user for the agent and pass its name with --user",
        )
    return UserAccount(
        name=found.pw_name,
        uid=found.pw_uid,
        gid=found.pw_gid,
        home=found.pw_dir,
        shell=found.pw_shell or "/bin/sh",
    )


def build_environment(account: UserAccount, names: Sequence[str]) -> dict[str, str]:
    """Build the environment of an account's process: login and named variables.

    Args:
        account: The account.
        names: Further variables of our own environment.
    """
    return build_clean_environment((*TERMINAL_VARIABLES, *names)) | {
        "HOME": account.home,
        "LOGNAME": account.name,
        "SHELL": account.shell,
        "USER": account.name,
    }


class WaitingChild:
    """Child process that waits for its start.

    Args:
        program: Absolute path of its program.
        argv: Arguments, including the first one.
        account: User that it runs as; None for our own.
        mask: Signal mask for its program.
        shut: Socket to close in it.
        kept: Descriptors above 2 for its program; None for all open ones.

    Raises:
        EnvironmentFailure: It cannot be forked, or cannot become that user.

    Attributes:
        start: When it started, clock ticks since boot.
    """

    def __init__(
        self,
        program: str,
        argv: Sequence[str],
        account: UserAccount | None,
        mask: set[signal.Signals],
        shut: socket.socket,
        *,
        kept: Collection[int] | None = None,
    ) -> None:
        self._program = program
        begin, self._gate = os.pipe()
        self._said, say = os.pipe()
        try:
            self.pid = os.fork()
        except OSError as error:
            for each in (begin, self._gate, self._said, say):
                os.close(each)
            raise EnvironmentFailure(
                f"cannot start a process for {program} ({error.strerror})",
                "end other processes, or raise the process limit of this user",
            ) from None
        if self.pid == 0:
            if kept is not None:
                close_at_exec(kept)
            _run_child(program, argv, account, mask, (begin, say, self._gate, shut))
        os.close(begin)
        os.close(say)
        self._check_ready(account)
        self.start = parse_start_time(read_proc_file(Path(f"/proc/{self.pid}/stat")))

    def start_program(self, environment: Mapping[str, str]) -> None:
        """Send the environment to the waiting child, which executes its program.

        Raises:
            EnvironmentFailure: The program could not be executed; the child is gone
                then.
        """
        with suppress(BrokenPipeError), os.fdopen(self._gate, "wb") as gate:
            gate.write(msgspec.json.encode(_encode_environment(environment)))
        with os.fdopen(self._said, "rb") as said:
            failed = said.read()
        if failed:
            os.waitpid(self.pid, 0)
            raise EnvironmentFailure(
                f"cannot run {self._program} ({os.strerror(int(failed))})",
                "check that this user can execute the program",
            )

    def abandon(self) -> None:
        """End the child before its program starts."""
        os.close(self._gate)
        os.close(self._said)
        os.waitpid(self.pid, 0)

    def _check_ready(self, account: UserAccount | None) -> None:
        """Wait until the child has become its user, else raise the reason."""
        said = os.read(self._said, 16)
        if said == _READY:
            return
        self.abandon()
        code = int(said or errno.ECHILD)
        name = "the child" if account is None else f"user {account.name}"
        raise EnvironmentFailure(
            f"cannot become {name} ({os.strerror(code)})",
            "starting a process as another user requires root, or CAP_SETUID and "
            "CAP_SETGID",
        )


def _run_child(
    program: str,
    argv: Sequence[str],
    account: UserAccount | None,
    mask: set[signal.Signals],
    pipes: tuple[int, int, int, socket.socket],
) -> NoReturn:
    """Run in the forked child: become the user, wait for the start, execute."""
    begin, say, gate, shut = pipes
    try:
        os.close(gate)
        shut.close()
        if account is not None:
            _switch_user(account)
        os.write(say, _READY)
        with os.fdopen(begin, "rb") as told:
            said = told.read()
        if said:
            environment = msgspec.json.decode(said, type=list[tuple[bytes, bytes]])
            _reset_signals(mask)
            os.execve(program, list(argv), dict(environment))  # noqa: S606 - what was asked
    except OSError as error:
        os.write(say, str(error.errno or errno.EINVAL).encode())
    finally:
        os._exit(_FAILED)


def close_at_exec(kept: Collection[int]) -> None:
    """Set close-on-exec for all descriptors above 2 that are not kept."""
    for name in os.listdir("/proc/self/fd"):
        # The one that lists the folder is gone by now.
        with suppress(OSError):
            if int(name) > 2:
                os.set_inheritable(int(name), int(name) in kept)


def _switch_user(account: UserAccount) -> None:
    """Switch the process to another user, its groups and ids, for good."""
    os.initgroups(account.name, account.gid)
    os.setresgid(account.gid, account.gid, account.gid)
    os.setresuid(account.uid, account.uid, account.uid)
    libc = ctypes.CDLL(None, use_errno=True)
    # A launcher with CAP_SETUID instead of root keeps it over the change of user, and
    # the program would inherit it as an ambient one (man 7 capabilities).
    libc.prctl(_PR_CAP_AMBIENT, _PR_CAP_AMBIENT_CLEAR_ALL, 0, 0, 0)
    # A process keeps access to its session keyring after a change of user
    # (man 7 session-keyring).
    number = _SYS_KEYCTL.get(os.uname().machine)
    if number and libc.syscall(number, _KEYCTL_JOIN_SESSION_KEYRING, None) < 0:
        code = ctypes.get_errno()
        if code not in _NO_KEYRINGS:
            raise OSError(code, os.strerror(code))


def _reset_signals(mask: set[signal.Signals]) -> None:
    """Restore the signal mask and handlers; ignored signals stay ignored."""
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    if signal.getsignal(signal.SIGINT) is signal.default_int_handler:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, mask)


def _encode_environment(environment: Mapping[str, str]) -> list[tuple[bytes, bytes]]:
    """Encode names and values as bytes, as the system stores them."""
    return [(os.fsencode(name), os.fsencode(it)) for name, it in environment.items()]
