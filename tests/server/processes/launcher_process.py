"""A process that connected, with a child that waits: what a launcher is."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

from answerable.server.processes.pidfd_process import PidfdProcess, open_pidfd
from answerable.server.processes.run_registration import (
    LaunchRequest,
    RegistrationAnswer,
    register_run,
)
from answerable.server.processes.run_registry import (
    RegisteredRun,
    RunRegistry,
    identify_process,
)
from tests.server.processes.connecting_process import ConnectingProcess

ANA, BO = 1001, 1002
NOW = 1_800_000_000
AGENT = "agent:declared/bot"
STOPPED = """
r, w = os.pipe()
child = os.fork()
if child == 0:
    uid = UID
    if uid and os.getuid() == 0:
        os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
    os.write(w, b'.')
    import time; time.sleep(30); os._exit(0)
os.read(r, 1)
"""


def say(script: str) -> str:
    """A script as one line that a visitor runs."""
    return f"exec({script!r})"


class LauncherProcess(ConnectingProcess):
    """A visitor with a child that waits."""

    def __init__(
        self, listening: socket.socket, uid: int = 0, child: int = ANA
    ) -> None:
        super().__init__(listening, uid)
        self.do(say(STOPPED.replace("UID", str(child))))
        told = self.do("print(child, flush=True)")
        self.said()
        self.root = int(told)

    def end(self) -> None:
        if self.child.poll() is None:
            self.do("os.kill(child, 9); os.waitpid(child, 0)")
        super().end()

    def request(self, **other: object) -> bytes:
        stat = Path(f"/proc/{self.root}/stat").read_text()
        asked = {
            "agent": AGENT,
            "pid": self.root,
            "start": int(stat.rpartition(")")[2].split()[19]),
            "program": "/usr/bin/bot",
            "argv_sha256": "0" * 64,
        }
        return json.dumps(asked | other).encode()


def asked(
    runs: RunRegistry,
    launcher: LauncherProcess,
    allows: Callable[[LaunchRequest], str] = lambda launch: "r1",
    **other: object,
) -> RegistrationAnswer:
    return register_run(
        runs, launcher.connection, launcher.request(**other), allows, NOW
    )


def hold(pid: int) -> PidfdProcess:
    return PidfdProcess(open_pidfd(pid), pid)


def made(process: PidfdProcess, uid: int = ANA) -> RegisteredRun:
    return RegisteredRun(
        id=os.urandom(16).hex(),
        agent=AGENT,  # type: ignore[arg-type]
        rule="r1",
        process=identify_process(process),
        launcher=identify_process(hold(os.getpid())),
        started_by=0,
        uid=uid,
        gid=uid,
        program="/usr/bin/bot",
        argv_sha256="0" * 64,
        config_sha256="",
        since=NOW,
    )
