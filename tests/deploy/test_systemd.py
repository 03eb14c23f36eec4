"""systemd units: hardened, valid, and their commands run under their restrictions."""

import ctypes
import ctypes.util
import os
import re
import shutil
import subprocess
import sys
import tempfile
from configparser import ConfigParser
from errno import EPERM
from pathlib import Path

import pytest

from tests.connectors.config.readings import faults

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
MAX_EXPOSURE = 2.0
USER = 10001  # of no passwd entry, as systemd-sysusers numbers its users
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000  # seccomp_init(3)
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, PR_SET_NO_NEW_PRIVS = 65, 1, 38  # prctl(2)
NEEDS_SYSTEMD = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze"
)


def read_unit(path: Path) -> dict[str, str]:
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return dict(unit["Service"])


def test_the_units_are_of_four_servers_and_the_signer_has_its_own_user() -> None:
    users = {path.stem: read_unit(path)["User"] for path in UNITS}
    signer = users.pop("answerable-token-service")
    assert set(users) == {
        "answerable-gateway",
        "answerable-web",
        "answerable-collector",
    }
    assert set(users.values()) == {"answerable"}
    assert signer == "answerable-sts"
    declared = (FOLDER / "answerable.sysusers").read_text()
    assert set(re.findall(r"(?m)^u (\S+)", declared)) == {"answerable", signer}


@pytest.mark.parametrize("name", ["answerable.yaml", "token-service.yaml"])
def test_the_configurations_are_valid(name: str) -> None:
    assert faults((FOLDER / name).read_text()) == []


@pytest.mark.world
@NEEDS_SYSTEMD
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_systemd_accepts_the_unit(path: Path, tmp_path: Path) -> None:
    # Only the program must exist; verify exits 0 on unknown keys, but names them.
    here = tmp_path / path.name
    program = r"(?m)^ExecStart=\S+"
    here.write_text(re.sub(program, f"ExecStart={sys.executable}", path.read_text()))
    done = subprocess.run(
        ["systemd-analyze", "verify", str(here)], capture_output=True, text=True
    )
    assert (done.returncode, done.stdout + done.stderr) == (0, "")
    done = subprocess.run(
        ["systemd-analyze", "security", "--offline=yes", str(here)],
        capture_output=True,
        text=True,
    )
    (level,) = re.findall(r"exposure level for \S+: ([\d.]+)", done.stdout)
    assert float(level) <= MAX_EXPOSURE


def list_system_calls(group: str) -> set[str]:
    """List the calls of a group, and of the groups that it names (systemd.exec(5))."""
    done = subprocess.run(
        ["systemd-analyze", "syscall-filter", group],
        capture_output=True,
        text=True,
        check=True,
    )
    found: set[str] = set()
    for line in done.stdout.splitlines()[1:]:
        name = line.strip()
        if name.startswith("@"):
            found |= list_system_calls(name)
        elif name and not name.startswith("#"):
            found.add(name)
    return found


def list_permitted_calls(path: Path) -> set[str]:
    """List the calls that the unit's filters let through."""
    permitted: set[str] = set()
    for line in path.read_text().splitlines():
        key, _, value = line.partition("=")
        if key == "SystemCallFilter":
            named = set().union(*map(list_system_calls, value.lstrip("~").split()))
            permitted = permitted - named if value[0] == "~" else permitted | named
    return permitted


class UnitRestrictions:
    """Restrictions of a unit that a process can take itself, before it runs a program.

    Args:
        path: The unit.
        user: User and group id.
    """

    def __init__(self, path: Path, user: int) -> None:
        self.user = user
        self.calls = [name.encode() for name in list_permitted_calls(path)]
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"))
        self.seccomp.seccomp_init.restype = ctypes.c_void_p

    def apply(self) -> None:
        """Take user, no-new-privileges, W^X, umask and system call filter."""
        os.setgroups([])
        os.setresgid(self.user, self.user, self.user)
        os.setresuid(self.user, self.user, self.user)
        os.umask(0o077)
        assert self.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert self.libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0
        rules = ctypes.c_void_p(self.seccomp.seccomp_init(SCMP_ACT_ERRNO | EPERM))
        for name in self.calls:
            number = self.seccomp.seccomp_syscall_resolve_name(name)
            if number >= 0:  # a call that this architecture has
                added = self.seccomp.seccomp_rule_add(rules, SCMP_ACT_ALLOW, number, 0)
                assert added == 0
        assert self.seccomp.seccomp_load(rules) == 0


@pytest.mark.world
@pytest.mark.skipif(
    sys.platform != "linux"
    or os.geteuid() != 0
    or not ctypes.util.find_library("seccomp")
    or not shutil.which("systemd-analyze"),
    reason="needs root, libseccomp and systemd-analyze",
)
@pytest.mark.parametrize("path", UNITS, ids=lambda path: path.stem)
def test_the_command_of_the_unit_becomes_ready_under_its_restrictions(
    path: Path, installed: Path
) -> None:
    words = read_unit(path)["ExecStart"].split()[1:]
    config = FOLDER / Path(words[words.index("--config") + 1]).name
    with tempfile.TemporaryDirectory(prefix="answerable-unit-") as name:
        folder = Path(name)
        text = re.sub(r"/var/lib/\w+(-sts)?", str(folder / "state"), config.read_text())
        text = re.sub(r"/run/[\w-]+", str(folder), text)
        text = re.sub(r"127\.0\.0\.1:84\d\d$", "127.0.0.1:0", text, flags=re.M)
        text = text.replace("url: http://127.0.0.1:0", "url: http://127.0.0.1:8472")
        text = text.replace("config:/etc/answerable", f"config:{folder}")
        (folder / config.name).write_text(text)
        for each in (folder, folder / config.name):
            os.chown(each, USER, USER)
        words[words.index("--config") + 1] = str(folder / config.name)
        restrictions = UnitRestrictions(path, USER)
        with subprocess.Popen(
            [str(installed / "answerable"), *words],
            preexec_fn=restrictions.apply,
            cwd="/",
            env={"PATH": "/usr/bin:/bin", "HOME": str(folder / "state")},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        ) as process:
            assert process.stdout is not None
            first = process.stdout.readline()
            process.terminate()
            _, log = process.communicate(timeout=120)
        assert " http://127.0.0.1:" in first, log
        assert process.returncode == 0
        stored = [each for each in folder.rglob("*") if each.is_file()]
        assert {each.stat().st_uid for each in stored} == {USER}


@pytest.mark.world
@NEEDS_SYSTEMD
def test_the_filter_of_the_units_refuses_privileged_calls() -> None:
    for path in UNITS:
        permitted = list_permitted_calls(path)
        assert {"read", "execve", "accept4"} <= permitted
        assert not {"ptrace", "mount", "setuid", "bpf"} & permitted
