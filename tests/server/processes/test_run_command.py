"""`answerable run`: an agent that is known before it begins, and ends as it would."""

import hashlib
import json
import os
import shutil
import signal
import subprocess
import sys

import pytest

from answerable.cli.main import main
from answerable.server.processes.run_registration import LaunchRequest
from tests.server.processes.launch_environment import (
    ANA,
    PYTHON,
    ROOT,
    RUN,
    LaunchEnvironment,
)

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="asks Linux")

as_root = pytest.mark.skipif(not ROOT, reason="starts another user's process, as root")
WHO = """
import http.client, os, socket, sys
there = socket.socket(socket.AF_UNIX)
there.connect(os.environ["ANSWERABLE_STS"])
client = http.client.HTTPConnection("localhost")
client.sock = there
client.request("GET", "/")
print(client.getresponse().read().decode())
"""
ORPHAN = """
import os, time
reading, writing = os.pipe()
if os.fork():
    os.close(writing)
    os.read(reading, 1)  # until the last one has ended
    os._exit(0)
middle = os.getpid()
if os.fork():
    os._exit(0)
while os.getppid() == middle:
    time.sleep(0.01)
"""


@pytest.mark.parametrize(
    ("script", "code"),
    [
        ("exit 0", 0),
        ("exit 7", 7),
        ("kill -TERM $$", 143),
        ("kill -PIPE $$", 141),
    ],
)
def test_it_ends_as_the_agent_does(
    world: LaunchEnvironment, script: str, code: int
) -> None:
    assert world.run("--", "sh", "-c", script).returncode == code


def test_streams_are_the_agents_own(world: LaunchEnvironment) -> None:
    ran = subprocess.run(
        world.words("-q", "--", "sh", "-c", "cat; echo there >&2"),
        input="through",
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert (ran.returncode, ran.stdout, ran.stderr) == (0, "through", "there\n")


def test_words_after_the_command_are_its_own(world: LaunchEnvironment) -> None:
    ran = world.run("-q", "--", "echo", "--agent", "x", "--help", "-q")
    assert ran.stdout == "--agent x --help -q\n"


def test_whoever_runs_it_as_himself_is_told_that_it_is_advice(
    world: LaunchEnvironment,
) -> None:
    ran = world.run("--", "true")
    assert ran.stderr.startswith("answerable: advisory: agent:declared/bot runs as ")
    assert ran.stderr.count("\n") == 1
    assert world.run("-q", "--", "true").stderr == ""


def test_the_service_is_told_who_starts_what(world: LaunchEnvironment) -> None:
    files = [world.folder / "a", world.folder / "b"]
    for each in files:
        each.write_text(each.name)
    named = [word for each in files for word in ("--agent-file", str(each))]
    world.run(*named, "--", "sh", "-c", "exit 0", "", "x")
    run = world.started()
    program = shutil.which("sh") or ""
    assert world.door.launches == [LaunchRequest(run.agent, ANA, ANA, program)]
    assert run.agent == "agent:declared/bot"
    argv = b"sh\0-c\0exit 0\0\0x\0"
    assert run.argv_sha256 == hashlib.sha256(argv).hexdigest()
    digests = b"".join(hashlib.sha256(each).digest() for each in (b"a", b"b"))
    assert run.config_sha256 == hashlib.sha256(digests).hexdigest()
    assert world.ended == [run]
    assert list(world.door.runs) == []


def test_the_agent_gets_names_of_places_and_nothing_secret(
    world: LaunchEnvironment,
) -> None:
    ran = world.run("--", "env", "-0", HERE="kept")
    told = dict(each.split("=", 1) for each in ran.stdout.rstrip("\0").split("\0"))
    run = world.started()
    assert told.pop("ANSWERABLE_STS") == world.door.place
    assert told.pop("ANSWERABLE_RUN") == run.name
    assert told == dict(os.environ) | {"HERE": "kept"}


def test_no_key_lies_anywhere_afterwards(world: LaunchEnvironment) -> None:
    home = world.folder / "free"
    ran = world.run("--", "sh", "-c", "ls -lA /proc/self/fd | wc -l", HOME=str(home))
    assert list(home.iterdir()) == []
    # Standard streams, and the folder that is listed: no file of ours is left open.
    assert int(ran.stdout) <= 5


def test_where_no_rule_allows_it_nothing_runs(world: LaunchEnvironment) -> None:
    world.rule = ""
    proof = world.folder / "free" / "ran"
    ran = world.run("--", "touch", str(proof))
    assert ran.returncode == 5
    assert ran.stderr.startswith(
        "error: the token service refused the run: no rule lets user "
        f"{ANA} start agent:declared/bot as user {ANA}\nhint: "
    )
    assert not proof.exists()


def test_where_no_service_answers_nothing_runs(world: LaunchEnvironment) -> None:
    proof = world.folder / "free" / "ran"
    words = world.words("--", "touch", str(proof))
    words[words.index("--sts") + 1] = str(world.folder / "none")
    ran = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd="/")
    assert ran.returncode == 5
    assert "no token service at" in ran.stderr
    assert not proof.exists()


def test_the_service_is_found_by_its_variable(world: LaunchEnvironment) -> None:
    words = world.words("--", "true")
    at = words.index("--sts")
    del words[at : at + 2]
    env = os.environ | {"ANSWERABLE_STS": world.door.place}
    assert subprocess.run(words, env=env, timeout=60, stderr=-3).returncode == 0


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--", "no-such-program"), "no such program"),
        (("--user", "no-such-user", "--", "true"), "no such user"),
        (("--user", "0", "--", "true"), "superuser"),
        (("--user", "root", "--", "true"), "superuser"),
        (("--user", "99999999999999", "--", "true"), "no such user"),
        (("--agent-file", "/none", "--", "true"), "cannot read /none"),
        (("--agent", " ", "--", "true"), "not a"),
        ((), "missing argument"),
    ],
)
def test_what_cannot_be_asked_is_said_shortly(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    agent = () if "--agent" in words else ("--agent", "bot")
    assert main(["run", *agent, "--sts", "/none", *words]) == 2
    told = capsys.readouterr().err
    assert said in told.lower()
    assert len(told.splitlines()) <= 2


@as_root
def test_only_who_may_starts_another_users_process(world: LaunchEnvironment) -> None:
    ran = world.run("--user", "nobody", "--", "true")
    assert ran.returncode == 5
    assert "cannot become user nobody" in ran.stderr
    assert world.door.launches == []


def test_what_is_no_program_is_said_and_its_run_ends(world: LaunchEnvironment) -> None:
    program = world.folder / "free" / "program"
    program.write_bytes(b"\x7fELF nonsense")
    program.chmod(0o755)
    ran = world.run("--", str(program))
    assert ran.returncode == 5
    assert "cannot run" in ran.stderr
    assert list(world.door.runs) == []


@as_root
def test_root_does_not_start_an_agent_as_itself(world: LaunchEnvironment) -> None:
    ran = world.run("--", "true", uid=0)
    assert ran.returncode == 5
    assert "runs as root" in ran.stderr
    assert world.door.launches == []


@as_root
def test_as_another_user_it_is_enforcing(world: LaunchEnvironment) -> None:
    script = "id -u; id -g; id -G; echo $HOME $USER $LOGNAME $XDG_RUNTIME_DIR; exit 3"
    more = {"XDG_RUNTIME_DIR": "/run/user/0", "SSH_AUTH_SOCK": "/x"}
    ran = world.run("--user", "nobody", "--", "sh", "-c", script, uid=0, **more)
    assert (ran.returncode, ran.stderr) == (3, "")
    uid, gid, groups, names = ran.stdout.splitlines()
    assert (uid, gid) == ("65534", "65534")
    assert groups == "65534"
    assert names == "/nonexistent nobody nobody"
    run = world.started()
    assert (run.started_by, run.uid, run.is_advisory) == (0, 65534, False)


@pytest.mark.skipif(not PYTHON, reason="no Python that any user may run")
@pytest.mark.parametrize(
    "before", ["", "import os\nif os.fork(): os.wait(); os._exit(0)", ORPHAN]
)
def test_it_and_what_it_starts_are_attested(
    world: LaunchEnvironment, before: str
) -> None:
    ran = world.run("-q", "--", PYTHON, "-c", before + WHO)
    told = json.loads(ran.stdout)
    run = world.started()
    assert (told["attestor"], told["agent"]) == ("launcher", "agent:declared/bot")
    assert (told["run"], told["advisory"]) == (run.name, True)
    assert (told["process"]["pid"] == run.process.pid) is (before == "")


@pytest.mark.skipif(not PYTHON, reason="no Python that any user may run")
def test_whoever_says_that_he_is_a_run_is_not(world: LaunchEnvironment) -> None:
    child = subprocess.Popen(
        world.words("-q", "--", "sleep", "20"), stdin=subprocess.DEVNULL
    )
    try:
        run = world.started()
        env = {"ANSWERABLE_STS": world.door.place, "ANSWERABLE_RUN": run.name}
        ran = subprocess.run(
            [PYTHON, "-c", "import os; os.getuid() or os.setuid(1001)\n" + WHO],
            env=env,
            capture_output=True,
            text=True,
            timeout=60,
        )
    finally:
        child.send_signal(signal.SIGTERM)
        assert child.wait(60) == 143
    # Root's group is not what a user of its own has: nothing at all is said of it.
    told = json.loads(ran.stdout)
    assert told.get("agent", "") == ""


def test_an_agent_does_not_start_another_agent(world: LaunchEnvironment) -> None:
    inner = world.words("--agent", "other", "--", "true")
    ran = world.run("-q", "--", *inner) if not ROOT else None
    if ran is None:
        # An interpreter of root's: start the inner one from a fork of the outer.
        script = RUN.replace(
            "sys.exit(main(sys.argv[2:]))",
            "import answerable.server.launcher.waiting_child as child\n"
            "real = os.execve\n"
            "def inner(*_):\n"
            "    signals = __import__('signal')\n"
            "    os.execve = real\n"
            "    os._exit(main(sys.argv[2:]))\n"
            "child.os.execve = inner\n"
            "sys.exit(main(sys.argv[2:]))",
        )
        words = world.words("--", "true")
        words[2] = script
        ran = subprocess.run(words, capture_output=True, text=True, timeout=60, cwd="/")
    assert ran.returncode == 5
    assert "delegate part of its own permissions" in ran.stderr
