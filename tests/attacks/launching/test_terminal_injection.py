"""An agent of another user that tries to type a command at its starter's terminal."""

import fcntl
import os
import re
import shlex
import shutil
import struct
import sys
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
    world: LaunchEnvironment, at: str, counted: list[str]
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
def test_the_attack_works_where_the_terminal_is_shared(
    world: LaunchEnvironment,
) -> None:
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


def test_an_answer_of_the_terminal_is_not_typed_into_the_shell(
    world: LaunchEnvironment,
) -> None:
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
