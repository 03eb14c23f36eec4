"""Signals and the terminal reach an agent as if nobody stood between."""

import os
import pty
import secrets
import select
import shlex
import shutil
import signal
import subprocess
import sys

import pytest

from tests.server.processes.launch_environment import (
    PYTHON,
    LaunchEnvironment,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")


# It ends by itself after a while, whatever becomes of the signal.
TRAPS = (
    "trap 'echo {0}; exit 9' {0}; echo ready; i=0; "
    "while [ $i -lt 400 ]; do i=$((i + 1)); sleep 0.05; done"
)


@pytest.mark.parametrize("name", ["TERM", "HUP", "INT", "USR1"])
def test_a_signal_for_it_is_one_for_the_agent(
    world: LaunchEnvironment, name: str
) -> None:
    with subprocess.Popen(
        world.words("-q", "--", "sh", "-c", TRAPS.format(name)),
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    ) as child:
        assert child.stdout is not None
        assert child.stdout.readline() == "ready\n"
        child.send_signal(signal.Signals["SIG" + name])
        assert child.stdout.read() == name + "\n"
        assert child.wait(60) == 9


PATIENCE = 60  # seconds without a word


class Terminal:
    """A program with a terminal of its own."""

    def __init__(self, words: list[str]) -> None:
        self.pid, self.handle = pty.fork()
        if self.pid == 0:
            os.execv(words[0], words)  # noqa: S606 - ours

    def read_until(self, what: bytes) -> bytes:
        said = b""
        while what not in said:
            ready, _, _ = select.select([self.handle], [], [], PATIENCE)
            if not ready:
                os.kill(self.pid, signal.SIGKILL)
                raise TimeoutError(said)
            try:
                said += os.read(self.handle, 1024)
            except OSError:
                break
        return said

    def rest(self) -> bytes:
        return self.read_until(secrets.token_bytes(16))

    def close(self) -> int:
        status = os.waitpid(self.pid, 0)[1]
        os.close(self.handle)
        return os.waitstatus_to_exitcode(status)


COUNTING = (
    "import signal, sys, time\n"
    "seen = []\n"
    "signal.signal(signal.SIGINT, lambda *_: seen.append(1))\n"
    "print('ready', flush=True)\n"
    "until = time.monotonic() + 20\n"
    "while not seen and time.monotonic() < until: time.sleep(0.01)\n"
    "time.sleep(0.3)\n"
    "print('seen', len(seen), flush=True)\n"
    "sys.exit(4)\n"
)


@pytest.mark.skipif(not PYTHON, reason="no Python that any user may run")
@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_an_interrupt_at_the_terminal_reaches_the_agent_once(
    world: LaunchEnvironment,
) -> None:
    there = Terminal(world.words("-q", "--", PYTHON, "-c", COUNTING))
    there.read_until(b"ready")
    os.write(there.handle, b"\x03")
    assert b"seen 1" in there.rest()
    assert there.close() == 4


@pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning")
def test_a_job_that_is_stopped_stops_and_goes_on(world: LaunchEnvironment) -> None:
    # A shell with job control, as at a terminal; it says what became of its job. The
    # agent forks nothing: what stops it in the middle of that is not for us to say.
    work = "echo on; i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done; exit 6"
    job = shlex.join(world.words("-q", "--", "sh", "-c", work))
    script = f"set -m; {job}; echo stopped=$?; fg; echo ended=$?; exit"
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    there = Terminal([bash, "--norc", "-c", script])
    there.read_until(b"on\r\n")
    os.write(there.handle, b"\x1a")
    said = there.rest()
    there.close()
    assert b"stopped=147" in said  # 128 + SIGSTOP
    assert b"ended=6" in said
