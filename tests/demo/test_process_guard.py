"""Ctrl-C, a closed stdout and a killed demo: it ends at once, and leaves nothing."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.cli.demo.environment import can_attest_processes

SECONDS = 120  # only a busy machine takes as long
PROGRAM = [sys.executable, "-m", "answerable"]
on_linux = pytest.mark.skipif(not can_attest_processes(), reason="needs Linux 6.5")


def alive(place: Path) -> list[str]:
    """Processes that work in a folder, or have it in their command or environment."""
    found = []
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            texts = [(folder / name).read_bytes() for name in ("cmdline", "environ")]
            texts.append(os.fsencode(os.readlink(folder / "cwd")))
        except OSError:
            continue
        if folder.name != str(os.getpid()) and any(
            os.fsencode(place) in text for text in texts
        ):
            found.append(texts[0].replace(b"\0", b" ").decode())
    return found


class DemoProcess:
    """A demo whose folder is below a folder of its own."""

    def __init__(self, place: Path, *words: str) -> None:
        self.place = place
        self.process = subprocess.Popen(
            [*PROGRAM, "demo", *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
            env={**os.environ, "TMPDIR": str(place), "COLUMNS": "80"},
            # What a shell starts in the background ignores Ctrl-C, and hands that on.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )

    def read_until(self, text: str) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            if text in line:
                return
        raise AssertionError(text)

    def check_end(self) -> tuple[int, str]:
        """Exit code and stderr; everything it started has ended."""
        errors = self.process.communicate(timeout=SECONDS)[1]
        assert alive(self.place) == []
        assert list(self.place.iterdir()) == []
        return self.process.returncode, errors

    def interrupt(self) -> None:
        """Do what Ctrl-C in a terminal does: signal the whole foreground group."""
        os.killpg(self.process.pid, signal.SIGINT)


@pytest.fixture
def short() -> Iterator[Path]:
    """A folder with a short name, for sockets."""
    import tempfile

    with tempfile.TemporaryDirectory(prefix="d-", dir="/tmp") as name:
        yield Path(name)


@pytest.mark.parametrize("after", [0.1, 0.25, 0.5, 0.9])
def test_ctrl_c_while_it_starts_ends_it_without_a_traceback(
    short: Path, after: float
) -> None:
    demo = DemoProcess(short)
    time.sleep(after)
    demo.interrupt()
    code, errors = demo.check_end()
    assert "internal error" not in errors
    # Before our first line runs, the interpreter itself may say something.
    assert "Traceback" not in errors or "answerable" not in errors
    assert code in (130, -signal.SIGINT) or "Traceback" in errors


@pytest.mark.parametrize(
    "heard",
    [
        "1. Which agents are here",
        pytest.param("An agent starts to work", marks=[on_linux, pytest.mark.world]),
        pytest.param("answerable run --agent", marks=[on_linux, pytest.mark.world]),
        pytest.param("was restarted", marks=[on_linux, pytest.mark.world]),
    ],
)
def test_ctrl_c_in_a_chapter_ends_it_and_all_that_it_started(
    short: Path, heard: str
) -> None:
    demo = DemoProcess(short)
    demo.read_until(heard)
    demo.interrupt()
    code, errors = demo.check_end()
    assert (code, errors) == (
        130,
        "error: interrupted\nhint: run the command again\n",
    )


def test_a_ctrl_c_during_the_exit_changes_nothing() -> None:
    code = (
        "import os, signal, sys\n"
        "from answerable.cli.demo.process_guard import _collect_signals\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "with _collect_signals() as (heard, _):\n"
        "    os.kill(os.getpid(), signal.SIGINT)\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(len(heard))\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (1, "")


def test_a_ctrl_c_that_a_command_ignores_is_ignored_to_the_end() -> None:
    code = (
        "import os, signal, sys\n"
        "import answerable.cli.main\n"
        "from answerable.__main__ import run\n"
        "def main():\n"
        "    signal.signal(signal.SIGINT, signal.SIG_IGN)\n"
        "    return 3\n"
        "answerable.cli.main.main = main\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "code = run()\n"
        "os.kill(os.getpid(), signal.SIGINT)\n"
        "sys.exit(code)\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (3, "")


@on_linux
def test_a_second_ctrl_c_changes_nothing(short: Path) -> None:
    demo = DemoProcess(short, "--serve")
    while len(alive(short)) < 4:  # itself, its child and two servers
        time.sleep(0.05)
    for _ in range(3):
        demo.interrupt()
        time.sleep(0.1)
    code, errors = demo.check_end()
    assert (code, errors) == (0, "")


@on_linux
@pytest.mark.world
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_signal_while_servers_start_ends_them(
    short: Path, number: signal.Signals
) -> None:
    demo = DemoProcess(short, "--serve")
    while len(alive(short)) < 4:
        time.sleep(0.05)
    demo.process.send_signal(number)
    assert demo.check_end() == (0, "")


@on_linux
@pytest.mark.world
def test_servers_end_where_the_whole_group_is_killed(short: Path) -> None:
    demo = DemoProcess(short, "--serve")
    while len(alive(short)) < 4:
        time.sleep(0.05)
    os.killpg(demo.process.pid, signal.SIGKILL)
    demo.process.communicate()
    deadline = time.monotonic() + 60
    while alive(short) and time.monotonic() < deadline:
        time.sleep(0.1)
    assert alive(short) == []


def test_where_nobody_reads_on_it_ends(short: Path) -> None:
    demo = DemoProcess(short)
    demo.read_until("1. Which agents are here")
    assert demo.process.stdout is not None
    demo.process.stdout.close()
    demo.process.stdout = None
    assert demo.check_end() == (0, "")
