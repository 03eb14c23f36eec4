"""An agent at a terminal of its own: it works there, and cannot type anywhere else."""

import fcntl
import os
import re
import select
import shlex
import shutil
import signal
import struct
import sys
import termios
import time
from pathlib import Path

import pytest

from tests.attacks.launching.agent_command import words
from tests.server.processes.launch_environment import PYTHON, ROOT, LaunchEnvironment
from tests.server.processes.test_signals_and_terminal import Terminal

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(not ROOT, reason="starts another user's process, as root"),
    pytest.mark.skipif(not PYTHON, reason="no Python that any user may run"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


def resize(handle: int, rows: int, columns: int) -> None:
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(handle, termios.TIOCSWINSZ, size)


# A full-screen program: curses draws the size and each key, and ends with a code.
SCREEN = """
import curses, os, sys
def main(screen):
    curses.raw()
    screen.keypad(True)
    screen.timeout(200)  # a resize that arrives just before the read is seen next time
    key = 0
    while key != ord("q"):
        rows, columns = screen.getmaxyx()
        screen.clear()
        screen.addstr(0, 0, f"size {rows}x{columns} uid {os.getuid()}")
        screen.addstr(1, 0, f"key <{key}>")
        screen.refresh()
        got = screen.getch()
        key = key if got in (-1, curses.KEY_RESIZE) else got
curses.wrapper(main)
sys.exit(42)
"""


def test_a_full_screen_program_draws_is_resized_and_reads_every_key(
    world: LaunchEnvironment,
) -> None:
    os.environ["TERM"] = "xterm"
    there = Terminal(words(world, PYTHON, "-c", SCREEN))
    resize(there.handle, 30, 90)
    there.read_until(b"size ")
    resize(there.handle, 33, 101)
    there.read_until(b"33x101")
    for key, shown in ((b"\x03", b"<3>"), (b"\x1a", b"<26>"), (b"\x11", b"<17>")):
        os.write(there.handle, key)
        there.read_until(shown)
    os.write(there.handle, b"\x1bOA")
    there.read_until(b"<259>")  # KEY_UP
    os.write(there.handle, b"q")
    there.rest()
    assert there.close() == 42


@pytest.mark.skipif(shutil.which("vi") is None, reason="no vi")
def test_vi_edits_a_file(world: LaunchEnvironment) -> None:
    os.environ["TERM"] = "xterm"
    file = world.folder / "free" / "note"
    there = Terminal(words(world, "vi", "-u", "NONE", "-n", str(file)))
    resize(there.handle, 24, 80)
    there.read_until(b"~")
    os.write(there.handle, b"ihello there\x1b")
    there.read_until(b"there")
    time.sleep(0.3)
    os.write(there.handle, b":wq\r")
    there.rest()
    assert there.close() == 0
    assert file.read_text() == "hello there\n"
    assert file.stat().st_uid == 65534


@pytest.mark.parametrize(("script", "code"), [("exit 7", 7), ("kill -TERM $$", 143)])
def test_it_ends_as_the_agent_does(
    world: LaunchEnvironment, script: str, code: int
) -> None:
    there = Terminal(words(world, "sh", "-c", f"tty; echo out; {script}"))
    said = there.rest()
    assert there.close() == code
    assert b"/dev/pts/" in said
    assert b"out\r\n" in said


@pytest.mark.world
def test_all_output_arrives_before_the_end(world: LaunchEnvironment) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo line $i; done"
    there = Terminal(words(world, "sh", "-c", script))
    said = there.rest()
    assert there.close() == 0
    assert said.count(b"line ") == 3000
    assert said.endswith(b"line 3000\r\n")


@pytest.mark.world
def test_the_terminal_is_left_as_it_was(world: LaunchEnvironment) -> None:
    inner = Terminal(
        ["/bin/sh", "-c", f"stty -a; {shlex.join(words(world, 'true'))}; stty -a"]
    )
    said = inner.rest()
    inner.close()
    before, after = said.split(b"speed")[1:]
    assert before.strip() == after.strip()


@pytest.mark.world
def test_an_interrupt_reaches_the_agent_once(world: LaunchEnvironment) -> None:
    script = (
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
    there = Terminal(words(world, PYTHON, "-c", script))
    there.read_until(b"ready")
    os.write(there.handle, b"\x03")
    assert b"seen 1" in there.rest()
    assert there.close() == 4


@pytest.mark.parametrize(
    "stop", ["key", pytest.param("signal", marks=pytest.mark.world)]
)
def test_a_job_that_is_stopped_stops_and_goes_on(
    world: LaunchEnvironment, stop: str
) -> None:
    work = "echo on $PPID.; i=0; while [ $i -lt 400000 ]; do i=$((i + 1)); done; exit 6"
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    job = shlex.join(words(world, "sh", "-c", work))
    there = Terminal(
        [
            bash,
            "--norc",
            "-c",
            f"set -m; {job}; echo stopped=$?; fg; echo ended=$?; exit",
        ]
    )
    said = there.read_until(b".")
    if stop == "key":
        os.write(there.handle, b"\x1a")
    else:
        (launcher,) = re.findall(rb"on (\d+)\.", said)
        stat = Path(f"/proc/{int(launcher)}/stat").read_text()
        os.kill(int(stat.rpartition(")")[2].split()[1]), signal.SIGTSTP)
    said = there.rest()
    there.close()
    assert b"stopped=148" in said  # 128 + SIGTSTP
    assert b"ended=6" in said


@pytest.mark.world
def test_a_job_in_the_background_gets_the_keys_once_it_is_in_front(
    world: LaunchEnvironment,
) -> None:
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    script = "echo on; while read line; do echo got $line; done"
    there = Terminal([bash, "--norc", "--noprofile", "-i"])
    os.write(
        there.handle, f"{shlex.join(words(world, 'sh', '-c', script))} &\n".encode()
    )
    there.read_until(b"on\r\n")
    for number in range(3):
        os.write(there.handle, f"echo sh''ell{number}\n".encode())
        there.read_until(f"shell{number}\r\n".encode())
        os.write(there.handle, b"fg\n")
        there.read_until(b"\n")
        time.sleep(0.5)
        os.write(there.handle, f"line{number}\n".encode())
        there.read_until(f"got line{number}\r\n".encode())
        os.write(there.handle, b"\x1a")
        there.read_until(b"Stopped")
        os.write(there.handle, b"bg\n")
        there.read_until(b"&\r\n")
    os.close(there.handle)
    os.waitpid(there.pid, 0)


@pytest.mark.world
def test_typed_lines_and_the_end_of_input_arrive(world: LaunchEnvironment) -> None:
    there = Terminal(words(world, "sh", "-c", "read a; echo got $a; cat; echo end"))
    os.write(there.handle, b"one\n")
    there.read_until(b"got one")
    os.write(there.handle, b"two\n\x04")
    said = there.rest()
    assert there.close() == 0
    assert said.count(b"two") == 2  # as typed, and as said
    assert b"end" in said


@pytest.mark.world
def test_a_pipeline_keeps_its_other_streams(world: LaunchEnvironment) -> None:
    job = shlex.join(words(world, "sh", "-c", "cat; tty <&2; echo err >&2"))
    there = Terminal(["/bin/sh", "-c", f"echo in | {job} | sed s/^/piped:/"])
    said = there.rest()
    there.close()
    assert b"piped:in\r\n" in said
    assert b"piped:/dev/pts/" in said
    assert b"err\r\n" in said


def test_without_a_terminal_signals_reach_the_agent_and_it_has_none(
    world: LaunchEnvironment,
) -> None:
    script = (
        "import signal, sys, time\n"
        "def end(*_): print('heard', flush=True); sys.exit(9)\n"
        "for each in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGUSR1):\n"
        "    signal.signal(each, end)\n"
        "try: open('/dev/tty'); print('terminal')\n"
        "except OSError: print('none', flush=True)\n"
        "time.sleep(20)\n"
    )
    for name in ("SIGTERM", "SIGINT"):
        # Its starter has a terminal, but not at a standard stream.
        job = shlex.join(words(world, PYTHON, "-c", script))
        place = world.folder / name
        there = Terminal(["/bin/sh", "-c", f"exec {job} </dev/null >{place} 2>&1"])
        until = time.monotonic() + 60
        while not place.exists() or "none" not in place.read_text():
            assert time.monotonic() < until, place.read_text()
            time.sleep(0.02)
        os.kill(there.pid, signal.Signals[name])
        assert there.close() == 9
        assert place.read_text() == "none\nheard\n"


def test_when_the_terminal_goes_the_agent_hears_it(world: LaunchEnvironment) -> None:
    place = world.folder / "free" / "hung-up"
    script = f"trap 'echo up > {place}; exit 3' HUP; echo ready; sleep 20 & wait"
    there = Terminal(words(world, "sh", "-c", script))
    there.read_until(b"ready")
    os.close(there.handle)
    os.waitpid(there.pid, 0)
    until = time.monotonic() + 60
    while not place.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.world
def test_when_its_starter_is_killed_the_agent_hears_it(
    world: LaunchEnvironment,
) -> None:
    place = world.folder / "free" / "hung-up"
    script = f"trap 'echo up > {place}; exit 3' HUP; echo ready; sleep 20 & wait"
    there = Terminal(words(world, "sh", "-c", script))
    there.read_until(b"ready")
    os.kill(there.pid, signal.SIGKILL)
    os.waitpid(there.pid, 0)
    until = time.monotonic() + 60
    while not place.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.close(there.handle)


@pytest.mark.world
def test_a_slow_reader_and_a_flood_of_keys_hold_nothing_up(
    world: LaunchEnvironment,
) -> None:
    # It reads none of its input, and says much: neither direction waits for the other.
    script = (
        "import sys, time, tty\n"
        "tty.setraw(0)\n"
        "print('ready', flush=True)\n"
        "time.sleep(0.5)\n"
        "sys.stdout.write('x' * 300000); sys.stdout.flush()\n"
        "sys.exit(5)\n"
    )
    there = Terminal(words(world, PYTHON, "-c", script))
    there.read_until(b"ready")
    os.set_blocking(there.handle, False)
    sent = 0
    for _ in range(200):
        try:
            sent += os.write(there.handle, b"k" * 1000)
        except BlockingIOError:
            break
        select.select([], [], [], 0.001)
    os.set_blocking(there.handle, True)
    said = there.rest()
    assert there.close() == 5
    assert said.count(b"x") == 300_000
