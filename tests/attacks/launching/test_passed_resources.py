"""What an agent of another user gets of its starter: named variables and files, no more."""

import json
import os
import secrets
import shutil
import subprocess
import sys

import pytest

from answerable.cli.main import main
from answerable.gateway.stdio.command_upstream import build_server_program
from answerable.model.config import UpstreamServer
from answerable.server.child_environment import build_clean_environment
from tests.server.processes.launch_environment import PYTHON, ROOT, LaunchEnvironment

pytestmark = [
    pytest.mark.skipif(sys.platform != "linux", reason="asks Linux"),
    pytest.mark.skipif(not ROOT, reason="starts another user's process, as root"),
]

# Names that carry secrets or lead to the starter's things.
SECRETS = (
    *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    *(
        "AWS_PROFILE",
        "AWS_CONTAINER_AUTHORIZATION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
    ),
    *("AZURE_CLIENT_SECRET", "GOOGLE_APPLICATION_CREDENTIALS", "CLOUDSDK_CONFIG"),
    *("GITHUB_TOKEN", "GH_TOKEN", "GITLAB_TOKEN", "NPM_TOKEN", "DOCKER_AUTH_CONFIG"),
    *("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "DATABASE_URL", "PGPASSWORD"),
    *("ANSWERABLE_STORE", "ANSWERABLE_PASSPHRASE", "STS_DATABASE", "WEB_SECRET"),
    *("SSH_AUTH_SOCK", "SSH_CONNECTION", "GPG_AGENT_INFO", "KRB5CCNAME", "KUBECONFIG"),
    *("DBUS_SESSION_BUS_ADDRESS", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XAUTHORITY"),
    *("SUDO_USER", "SUDO_COMMAND", "MAIL", "PWD_HINT", "HISTFILE", "OLDPWD"),
    *("LD_PRELOAD_", "LD_AUDIT_", "PYTHONPATH", "PYTHONSTARTUP", "NODE_OPTIONS"),
    *("BASH_ENV", "ENV", "PERL5OPT", "RUBYOPT", "JAVA_TOOL_OPTIONS", "GIT_SSH_COMMAND"),
    *("HTTP_PROXY", "https_proxy", "VAULT_TOKEN", "NETRC", "lower_case", "X"),
)
GIVEN = {"HOME", "LOGNAME", "PATH", "SHELL", "USER", "ANSWERABLE_RUN", "ANSWERABLE_STS"}
# Its own, of the shell that prints them.
KEPT = {"LANG": "C.UTF-8", "LC_ALL": "C.UTF-8", "TERM": "vt100", "TZ": "UTC"}


def variables(world: LaunchEnvironment, *words: str, **more: str) -> dict[str, str]:
    ran = world.run("--user", "nobody", *words, "--", "env", "-0", uid=0, **more)
    assert ran.returncode == 0, ran.stderr
    return dict(each.split("=", 1) for each in ran.stdout.rstrip("\0").split("\0"))


def test_no_variable_but_the_listed_ones_is_handed_over(
    world: LaunchEnvironment, counted: list[str]
) -> None:
    secret = secrets.token_hex(12)
    found = variables(world, **dict.fromkeys(SECRETS, secret), **KEPT)
    assert secret not in found.values()
    assert found.keys() <= GIVEN | KEPT.keys() | {"LANGUAGE", "COLORTERM", "NO_COLOR"}
    assert {name: found[name] for name in KEPT} == KEPT
    assert found["USER"] == found["LOGNAME"] == "nobody"
    assert found["HOME"] == "/nonexistent"
    counted += ["variable"] * len(SECRETS)


def test_a_named_variable_is_handed_over_with_its_value(
    world: LaunchEnvironment,
) -> None:
    values = {"ANTHROPIC_API_KEY": "sk-1", "EMPTY": "", "OTHER": "o", "ODD": "a=b\nc"}
    names = ("ANTHROPIC_API_KEY", "EMPTY", "ODD")
    words = [word for name in names for word in ("--env", name)]
    found = variables(world, *words, **values)
    assert [found.get(name) for name in (*names, "OTHER")] == [
        "sk-1",
        "",
        "a=b\nc",
        None,
    ]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (
            ("--user", "nobody", "--env", "NOT_SET_AT_ALL"),
            "unknown environment variable",
        ),
        (("--user", "nobody", "--env", "NAME=value"), "unknown environment variable"),
        (("--user", "nobody", "--env", ""), "unknown environment variable"),
        (("--user", "nobody", "--env", "HOME"), "HOME is set from --user"),
        (("--user", "nobody", "--env", "SHELL"), "SHELL is set from --user"),
        (("--user", "nobody", "--fd", "999"), "file descriptor 999 is not open"),
        (("--user", "nobody", "--fd", "2"), "2 is not in the range"),
        (("--env", "PATH"), "require --user"),
        (("--fd", "3"), "require --user"),
    ],
)
def test_a_wrong_name_is_refused_in_words(
    capsys: pytest.CaptureFixture[str], words: tuple[str, ...], said: str
) -> None:
    line = ["run", "--agent", "bot", "--sts", "/none", *words, "--", "true"]
    assert main(line) == 2
    assert said in capsys.readouterr().err


@pytest.mark.skipif(not PYTHON, reason="no Python that any user may run")
def test_no_open_file_but_a_named_one_is_handed_over(
    world: LaunchEnvironment, counted: list[str]
) -> None:
    secret = world.folder / "secret"
    secret.write_text("root's alone")
    secret.chmod(0o600)
    script = (
        "import json, os\n"
        "found = {}\n"
        "for fd in range(3, 300):\n"
        "    try: found[fd] = os.pread(fd, 99, 0).decode()\n"
        "    except OSError as error: found[fd] = error.errno\n"
        "print(json.dumps(found))\n"
    )
    handles = [os.open(secret, os.O_RDONLY) for _ in range(40)]
    high = os.dup2(handles[0], 250)
    named = handles[7]
    try:
        words = ("--user", "nobody", "--fd", str(named), "--", PYTHON, "-c", script)
        ran = subprocess.run(
            world.words(*words, uid=0),
            capture_output=True,
            text=True,
            timeout=60,
            pass_fds=(*handles, high),
        )
    finally:
        for each in (*handles, high):
            os.close(each)
    found = json.loads(ran.stdout)
    open_ones = {int(fd) for fd, said in found.items() if said == "root's alone"}
    assert open_ones == {named}
    assert {said for fd, said in found.items() if int(fd) != named} == {9}  # EBADF
    counted += ["descriptor"] * len(handles)


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="no setpriv")
def test_the_capabilities_of_a_launcher_are_not_the_agents(
    world: LaunchEnvironment,
) -> None:
    # A launcher that is not root, with the two capabilities that it needs.
    powers = "+setuid,+setgid"
    words = world.words(
        "-q", "--user", "nobody", "--", "cat", "/proc/self/status", uid=0
    )
    ran = subprocess.run(
        [
            *("setpriv", "--reuid=1001", "--regid=1001", "--clear-groups"),
            *(f"--inh-caps={powers}", f"--ambient-caps={powers}", *words),
        ],
        capture_output=True,
        text=True,
        timeout=60,
    )
    if "Permission denied" in ran.stderr and not ran.stdout:
        pytest.skip("no other user may run this Python")
    lines = dict(line.split(":\t", 1) for line in ran.stdout.splitlines())
    assert lines["Uid"].split() == ["65534"] * 4
    sets = {name: int(lines[name], 16) for name in ("CapPrm", "CapEff", "CapAmb")}
    assert sets == dict.fromkeys(sets, 0)


def test_the_starters_own_environment_cannot_be_read(world: LaunchEnvironment) -> None:
    script = (
        "for p in $PPID $(ps -o ppid= -p $PPID 2>/dev/null) 1; do "
        "cat /proc/$p/environ /proc/$p/fd/* 2>/dev/null; done; echo done"
    )
    secret = secrets.token_hex(12)
    ran = world.run(
        *("--user", "nobody", "--", "sh", "-c", script), uid=0, AWS_SECRET_KEY=secret
    )
    assert ran.stdout.endswith("done\n")
    assert secret not in ran.stdout


KEYS = """
import ctypes, sys
libc = ctypes.CDLL(None, use_errno=True)
def key(name, where): return libc.syscall(248, b"user", name, b"canary", 6, where)
"""
STARTER = """
import os
libc.syscall(250, 1, None)
print(key(b"one", ctypes.c_int(-3)), flush=True)
os.execv(sys.argv[1], sys.argv[1:])
"""
READER = """
found = []
buffer = ctypes.create_string_buffer(64)
def read(serial):
    if libc.syscall(250, 11, ctypes.c_int(serial), buffer, 64) > 0:
        found.append(buffer.value)
for keyring in (-1, -2, -3, -4, -5):
    read(libc.syscall(250, 10, ctypes.c_int(keyring), b"user", b"one", 0))
for line in open("/proc/keys"):
    read(int(line.split()[0], 16))
print("found", b"canary" in found)
"""


@pytest.mark.skipif(not PYTHON, reason="no Python that any user may run")
@pytest.mark.skipif(os.uname().machine != "x86_64", reason="calls by number")
def test_keys_of_the_starters_session_cannot_be_read(world: LaunchEnvironment) -> None:
    """Possession of a keyring is enough to read its keys, whatever the user."""
    words = world.words(
        "-q", "--user", "nobody", "--", PYTHON, "-c", KEYS + READER, uid=0
    )
    ran = subprocess.run(
        [sys.executable, "-c", KEYS + STARTER, *words],
        capture_output=True,
        text=True,
        timeout=60,
    )
    made, *said = ran.stdout.split("\n", 1)
    if int(made) < 0:
        pytest.skip("this kernel keeps no keys")
    assert said == ["found False\n"]


def test_servers_by_command_get_the_same_clean_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    server = UpstreamServer(
        name="files",
        url="",
        command=("true",),
        env=(("A", "1"),),
        inherit_env=("B",),
        ca="",
        certificate="",
        key="",
        reads=(),
        sensitive=(),
    )
    monkeypatch.setenv("B", "2")
    for name in SECRETS:
        monkeypatch.setenv(name, "secret")
    found = dict(build_server_program(server, shows_errors=False).environment)
    assert found == build_clean_environment(("B",)) | {"A": "1"}
    assert found.keys() == {"HOME", "PATH", "A", "B"}
