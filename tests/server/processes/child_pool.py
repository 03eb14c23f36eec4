"""Processes by the hundred, and the service that they come to; one thread, many forks."""

import ctypes
import os
import random
import shutil
import signal
import socket
import struct
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

from answerable.model.ids import AgentId
from answerable.model.workload_attestation import Attestation
from answerable.server.processes.peer_attestation import attest_peer
from answerable.server.processes.pidfd_process import NotAttested, PidfdProcess
from answerable.server.processes.run_registry import (
    RegisteredRun,
    RunRegistry,
    identify_process,
)
from answerable.server.processes.sender_check import enable_sender_credentials

ROOT = os.getuid() == 0
# Users that nobody else is. Whoever is not root is one user, and takes part in less.
ANA, BO = (1001, 1002) if ROOT else (os.getuid(), os.getuid())
AGENT = AgentId("agent:declared/bo")
SECONDS = 60.0
SLEEP = shutil.which("sleep") or "/bin/sleep"
# PyDLL keeps the interpreter's lock over the call, so that the child has it.
LIBC = ctypes.PyDLL(None, use_errno=True)
SYS_CLONE3 = 435
NEWEST = struct.Struct("=11Q")


class ChildPool:
    """Children, each ended by its number."""

    def __init__(self) -> None:
        self.alive: set[int] = set()

    def fork(self, uid: int, be: Callable[[], None], pid: int = 0) -> int:
        """Make a child of a user, with a number where one is named."""
        made = self._clone(pid) if pid else os.fork()
        if made == 0:
            self._be(uid, be)
        self.alive.add(made)
        return made

    def end(self, pid: int, *, reap: bool = True) -> None:
        os.kill(pid, signal.SIGKILL)
        if reap:
            self.reap(pid)
        else:
            os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)

    def reap(self, pid: int) -> None:
        os.waitpid(pid, 0)
        self.alive.discard(pid)

    def close(self) -> None:
        for pid in list(self.alive):
            self.end(pid)

    @staticmethod
    def _be(uid: int, be: Callable[[], None]) -> NoReturn:
        try:
            become(uid)
            be()
        finally:
            os._exit(0)

    @staticmethod
    def _clone(pid: int) -> int:
        """Fork with a number that is free (man 2 clone3, set_tid)."""
        number = (ctypes.c_int * 1)(pid)
        where = ctypes.addressof(number)
        args = NEWEST.pack(0, 0, 0, 0, signal.SIGCHLD, 0, 0, 0, where, 1, 0)
        made = LIBC.syscall(SYS_CLONE3, args, len(args))
        if made < 0:
            raise OSError(ctypes.get_errno(), "clone3")
        return int(made)


def become(uid: int) -> None:
    if uid and ROOT:
        os.setgroups([])
        os.setresgid(uid, uid, uid)
        os.setresuid(uid, uid, uid)


def pause() -> NoReturn:
    # Nobody is left behind, whatever becomes of the storm.
    time.sleep(SECONDS)
    os._exit(0)


class AttestingService:
    """A listener, a registry, children."""

    def __init__(self, folder: Path, seed: int) -> None:
        self.random = random.Random(seed)  # noqa: S311 - a repeatable storm
        self.nursery = ChildPool()
        self.runs = RunRegistry(folder / "state")
        self.listening = socket.socket(socket.AF_UNIX)
        self.listening.bind("\0answerable-storm-" + folder.name)
        self.listening.listen(64)
        self.listening.settimeout(SECONDS)
        enable_sender_credentials(self.listening)
        self.folder = folder
        self.said: Counter[str] = Counter()

    def connect(self) -> socket.socket:
        there = socket.socket(socket.AF_UNIX)
        there.connect(self.listening.getsockname())
        return there

    def accept(self) -> socket.socket:
        accepted, _ = self.listening.accept()
        accepted.settimeout(SECONDS)
        return accepted

    def visitor(self, uid: int) -> tuple[int, socket.socket]:
        """A process that connected and waits."""

        def be() -> None:
            with self.connect():
                pause()

        pid = self.nursery.fork(uid, be)
        return pid, self.accept()

    def run_of(self, process: int, uid: int, launcher: int = 0) -> RegisteredRun:
        """Register a run, as if its launcher had asked."""
        root, by = hold(process), hold(launcher or os.getpid())
        run = RegisteredRun(
            id=self.random.randbytes(16).hex(),
            agent=AGENT,
            rule="r",
            process=identify_process(root),
            launcher=identify_process(by),
            started_by=0,
            uid=uid,
            gid=uid,
            program=SLEEP,
            argv_sha256="",
            config_sha256="",
            since=0,
        )
        self.runs.register_run(run, root, by)
        return run

    def attested(self, accepted: socket.socket) -> Attestation | str:
        try:
            return attest_peer(accepted, self.runs)
        except NotAttested as refused:
            return refused.reason

    def judge(self, told: Attestation | str, right: bool) -> None:
        word = "refused" if isinstance(told, str) else "named"
        self.said[word if right else "wrong"] += 1


def hold(pid: int) -> PidfdProcess:
    return PidfdProcess(os.pidfd_open(pid), pid)
