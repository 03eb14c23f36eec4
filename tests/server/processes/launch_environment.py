"""A service for tests, and agents that are started with it."""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from answerable.server.processes.run_registration import LaunchRequest
from answerable.server.processes.run_registry import RegisteredRun, RunRegistry
from tests.server.processes.connecting_process import python_for_all
from tests.server.processes.registration_server import RegistrationServer, opened_door

ROOT = os.getuid() == 0
ANA = 1001 if ROOT else os.getuid()
PYTHON = python_for_all()
# Read before it turns into another user: an interpreter of root's may lie in a folder
# of root's alone. Whoever runs the tests may ignore signals, and a shell cannot trap one
# that was ignored when it began.
RUN = """
import difflib, http.client, os, signal, sys, encodings.idna, json
import answerable.server.launcher.agent_launch, answerable.server.launcher.child_wait
import answerable.cli.errors
from answerable.cli.main import main
for each in (signal.SIGHUP, signal.SIGINT, signal.SIGQUIT, signal.SIGTERM):
    signal.signal(each, signal.SIG_DFL)
uid = int(sys.argv[1])
if uid and os.getuid() == 0:
    os.setgroups([]); os.setresgid(uid, uid, uid); os.setresuid(uid, uid, uid)
sys.exit(main(sys.argv[2:]))
"""


@dataclass
class LaunchEnvironment:
    """A service for tests and its folder."""

    folder: Path
    door: RegistrationServer
    ended: list[RegisteredRun]
    rule: str = "r1"

    def words(self, *words: str, uid: int = ANA) -> list[str]:
        start = [sys.executable, "-c", RUN, str(uid), "run", "--agent", "bot"]
        return [*start, "--sts", self.door.place, *words]

    def run(
        self, *words: str, uid: int = ANA, **more: str
    ) -> "subprocess.CompletedProcess[str]":
        return subprocess.run(
            self.words(*words, uid=uid),
            capture_output=True,
            text=True,
            timeout=60,
            env=os.environ | more,
            cwd="/",
        )

    def started(self) -> RegisteredRun:
        """The run that began, once it has."""
        until = time.monotonic() + 60
        while time.monotonic() < until:
            for answer in self.door.answers:
                if answer.status == 201 and answer.run is not None:
                    return answer.run
            time.sleep(0.01)
        raise AssertionError("no run began")


@contextmanager
def open_environment() -> Iterator[LaunchEnvironment]:
    # Not pytest's own folder, which other users may not enter.
    folder = Path(tempfile.mkdtemp(prefix="run-"))
    folder.chmod(0o755)
    (folder / "free").mkdir()
    (folder / "free").chmod(0o777)
    ended: list[RegisteredRun] = []
    with ExitStack() as stack:
        stack.callback(shutil.rmtree, folder)
        runs = RunRegistry(folder / "state", ended.append)
        stack.callback(runs.close)

        def rule(launch: LaunchRequest) -> str:
            return world.rule

        door = stack.enter_context(opened_door(folder / "sts.sock", runs, rule))
        world = LaunchEnvironment(folder, door, ended)
        yield world
