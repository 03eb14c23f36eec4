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
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.serving.processes.test_terminal import Terminal
from tests.serving.processes.world import PYTHON, ROOT, World, opened_world

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(not ROOT, reason="starts another user's process, as root"),
    pytest.mark.skipif(not PYTHON, reason="no Python that any user may run"),
    pytest.mark.filterwarnings("ignore:.*multi-threaded.*:DeprecationWarning"),
]


@pytest.fixture
def world() -> Iterator[World]:
    with opened_world() as world:
        yield world


def words(world: World, *command: str, options: tuple[str, ...] = ()) -> list[str]:
    return world.words("-q", "--user", "nobody", *options, "--", *command, uid=0)


def resize(handle: int, rows: int, columns: int) -> None:
    size = struct.pack("HHHH", rows, columns, 0, 0)
    fcntl.ioctl(handle, termios.TIOCSWINSZ, size)


# A full-screen program: curses draws the size and each key, and ends with a code.
SCREEN = """
import curses, os, sys
def main(screen):
    curses.raw()
    screen.keypad(True)
    while True:
        rows, columns = screen.getmaxyx()
        screen.erase()
        screen.addstr(0, 0, f"size {rows}x{columns} uid {os.getuid()}")
        screen.refresh()
        key = screen.getch()
        if key == ord("q"):
            return
        if key != curses.KEY_RESIZE:
            screen.addstr(1, 0, f"key {key} ")
            screen.refresh()
            screen.getch()
curses.wrapper(main)
sys.exit(42)
"""


def test_a_full_screen_program_draws_is_resized_and_reads_every_key(
    world: World,
) -> None:
    os.environ["TERM"] = "xterm"
    there = Terminal(words(world, PYTHON, "-c", SCREEN))
    resize(there.handle, 30, 90)
    there.read_until(b"size ")
    resize(there.handle, 33, 101)
    there.read_until(b"33x101")
    for key, number in ((b"\x03", 3), (b"\x1a", 26), (b"\x1c", 28), (b"\x11", 17)):
        os.write(there.handle, key)
        there.read_until(b"%d" % number)
        os.write(there.handle, b"x")
    os.write(there.handle, b"\x1bOA")
    there.read_until(b"259")  # KEY_UP
    os.write(there.handle, b"xq")
    there.rest()
    assert there.close() == 42


@pytest.mark.skipif(shutil.which("vi") is None, reason="no vi")
def test_vi_edits_a_file(world: World) -> None:
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
def test_it_ends_as_the_agent_does(world: World, script: str, code: int) -> None:
    there = Terminal(words(world, "sh", "-c", f"tty; echo out; {script}"))
    said = there.rest()
    assert there.close() == code
    assert b"/dev/pts/" in said
    assert b"out\r\n" in said


@pytest.mark.world
def test_all_output_arrives_before_the_end(world: World) -> None:
    script = "i=0; while [ $i -lt 3000 ]; do i=$((i + 1)); echo line $i; done"
    there = Terminal(words(world, "sh", "-c", script))
    said = there.rest()
    assert there.close() == 0
    assert said.count(b"line ") == 3000
    assert said.endswith(b"line 3000\r\n")


@pytest.mark.world
def test_the_terminal_is_left_as_it_was(world: World) -> None:
    inner = Terminal(
        ["/bin/sh", "-c", f"stty -a; {shlex.join(words(world, 'true'))}; stty -a"]
    )
    said = inner.rest()
    inner.close()
    before, after = said.split(b"speed")[1:]
    assert before.strip() == after.strip()


@pytest.mark.world
def test_an_interrupt_reaches_the_agent_once(world: World) -> None:
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
def test_a_job_that_is_stopped_stops_and_goes_on(world: World, stop: str) -> None:
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
def test_typed_lines_and_the_end_of_input_arrive(world: World) -> None:
    there = Terminal(words(world, "sh", "-c", "read a; echo got $a; cat; echo end"))
    os.write(there.handle, b"one\n")
    there.read_until(b"got one")
    os.write(there.handle, b"two\n\x04")
    said = there.rest()
    assert there.close() == 0
    assert said.count(b"two") == 2  # as typed, and as said
    assert b"end" in said


@pytest.mark.world
def test_a_pipeline_keeps_its_other_streams(world: World) -> None:
    job = shlex.join(words(world, "sh", "-c", "cat; tty <&2; echo err >&2"))
    there = Terminal(["/bin/sh", "-c", f"echo in | {job} | sed s/^/piped:/"])
    said = there.rest()
    there.close()
    assert b"piped:in\r\n" in said
    assert b"piped:/dev/pts/" in said
    assert b"err\r\n" in said


def test_without_a_terminal_signals_reach_the_agent_and_it_has_none(
    world: World,
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
        until = time.monotonic() + 20
        while not place.exists() or "none" not in place.read_text():
            assert time.monotonic() < until, place.read_text()
            time.sleep(0.02)
        os.kill(there.pid, signal.Signals[name])
        assert there.close() == 9
        assert place.read_text() == "none\nheard\n"


# Attacks.

INJECT = """
import array, fcntl, glob, os, sys, termios, time
line = ("touch " + sys.argv[1] + "\\n").encode()
tried = 0
def type_into(fd):
    global tried
    for byte in line:
        tried += 1
        try: fcntl.ioctl(fd, termios.TIOCSTI, bytes([byte]))
        except OSError: return
for fd in range(0, 20):
    type_into(fd)
places = ["/dev/tty", "/dev/console", *sys.argv[2:]]
places += ["/proc/%s/fd/%d" % (p, n) for p in (os.getppid(), 1) for n in range(8)]
for place in places:
    for mode in (os.O_RDWR, os.O_RDONLY, os.O_WRONLY):
        tried += 1
        try: fd = os.open(place, mode | os.O_NOCTTY)
        except OSError: continue
        type_into(fd)
        # As a controlling terminal it could be typed into.
        if os.fork() == 0:
            try:
                os.setsid()
                fcntl.ioctl(fd, termios.TIOCSCTTY, 1)
                type_into(fd)
            except OSError: pass
            os._exit(0)
        os.wait()
# A line of the console's own, where a kernel has them.
for number in (2, 3, 9, 12):
    tried += 1
    try: fcntl.ioctl(0, 0x541C, bytes([number, 3]))
    except OSError: pass
print("tried", tried, flush=True)
"""


@pytest.mark.parametrize("at", ["a terminal", "no terminal", "one stream"])
def test_an_agent_cannot_type_into_the_starters_terminal(
    world: World, at: str, counted: list[str]
) -> None:
    proof = world.folder / "free" / "typed"
    streams = {
        "a terminal": "",
        "no terminal": f"</dev/null >{world.folder}/free/out 2>&1",
        "one stream": f"</dev/null 2>{world.folder}/free/out",
    }[at]
    (world.folder / "free" / "out").touch(0o666)
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    there = Terminal([bash, "--norc", "--noprofile", "-i"])
    name = (
        os.ptsname(there.handle) if hasattr(os, "ptsname") else _ptsname(there.handle)
    )
    job = shlex.join(words(world, PYTHON, "-c", INJECT, str(proof), name))
    os.write(there.handle, f"{job} {streams}; echo fin''ished\n".encode())
    said = there.read_until(b"finished\r\n")
    # Whatever was typed would run before this.
    os.write(there.handle, b"echo la''st; exit\n")
    said += there.read_until(b"last\r\n")
    there.rest()
    there.close()
    assert not proof.exists()
    said += (world.folder / "free" / "out").read_bytes()
    (tried,) = re.findall(rb"tried (\d+)", said)
    counted += ["keystroke"] * int(tried)


def _ptsname(handle: int) -> str:
    number = fcntl.ioctl(handle, 0x80045430, b"\0" * 4)  # TIOCGPTN
    return f"/dev/pts/{struct.unpack('I', number)[0]}"


@pytest.mark.skipif(
    Path("/proc/sys/dev/tty/legacy_tiocsti").exists()
    and Path("/proc/sys/dev/tty/legacy_tiocsti").read_text().strip() == "0",
    reason="this kernel lets nobody type",
)
def test_the_attack_works_where_the_terminal_is_shared(world: World) -> None:
    proof = world.folder / "free" / "typed"
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    there = Terminal([bash, "--norc", "--noprofile", "-i"])
    line = words(world, PYTHON, "-c", INJECT, str(proof), options=("--no-pty",))
    line.remove("-q")
    os.write(there.handle, f"{shlex.join(line)}; echo fin''ished\n".encode())
    said = there.read_until(b"finished\r\n")
    os.write(there.handle, b"echo la''st; exit\n")
    there.read_until(b"last\r\n")
    there.rest()
    there.close()
    assert proof.exists()
    assert b"the terminal is shared" in said


def test_an_answer_of_the_terminal_is_not_typed_into_the_shell(world: World) -> None:
    """An agent asks the terminal for something and ends before the answer comes."""
    proof = world.folder / "free" / "typed"
    bash = shutil.which("bash")
    if bash is None:
        pytest.skip("no bash")
    there = Terminal([bash, "--norc", "--noprofile", "-i"])
    # The test is the terminal: it answers the question with a command.
    job = shlex.join(words(world, "sh", "-c", "printf '\\033[c'; sleep 0.5"))
    os.write(there.handle, f"{job}; echo fin''ished\n".encode())
    there.read_until(b"\x1b[c")
    os.write(there.handle, f"touch {proof}\n".encode())
    there.read_until(b"finished\r\n")
    os.write(there.handle, b"echo la''st; exit\n")
    there.read_until(b"last\r\n")
    there.rest()
    there.close()
    assert not proof.exists()


def test_when_the_terminal_goes_the_agent_hears_it(world: World) -> None:
    place = world.folder / "free" / "hung-up"
    script = f"trap 'echo up > {place}; exit 3' HUP; echo ready; sleep 20 & wait"
    there = Terminal(words(world, "sh", "-c", script))
    there.read_until(b"ready")
    os.close(there.handle)
    os.waitpid(there.pid, 0)
    until = time.monotonic() + 10
    while not place.exists():
        assert time.monotonic() < until
        time.sleep(0.02)


@pytest.mark.world
def test_when_its_starter_is_killed_the_agent_hears_it(world: World) -> None:
    place = world.folder / "free" / "hung-up"
    script = f"trap 'echo up > {place}; exit 3' HUP; echo ready; sleep 20 & wait"
    there = Terminal(words(world, "sh", "-c", script))
    there.read_until(b"ready")
    os.kill(there.pid, signal.SIGKILL)
    os.waitpid(there.pid, 0)
    until = time.monotonic() + 10
    while not place.exists():
        assert time.monotonic() < until
        time.sleep(0.02)
    os.close(there.handle)


@pytest.mark.world
def test_a_slow_reader_and_a_flood_of_keys_hold_nothing_up(world: World) -> None:
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
