"""Restrictions of a systemd unit that a process takes itself, before it runs a program."""

import ctypes
import ctypes.util
import os
import re
import shutil
import subprocess
import sys
from configparser import ConfigParser
from errno import EPERM
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "deploy" / "systemd"
UNITS = sorted(FOLDER.glob("*.service"))
SCMP_ACT_ALLOW, SCMP_ACT_ERRNO = 0x7FFF0000, 0x00050000  # seccomp_init(3)
SCMP_CMP_MASKED_EQ = 7  # seccomp_rule_add(3)
PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, PR_SET_NO_NEW_PRIVS = 65, 1, 38  # prctl(2)
CLONE_NEWNS = 0x00020000  # unshare(2)
MS_RDONLY, MS_REMOUNT, MS_BIND, MS_REC, MS_PRIVATE = 1, 32, 4096, 16384, 1 << 18
# Calls that RestrictSUIDSGID= filters, with the place of their mode; systemd.exec(5).
SET_ID_BITS = 0o6000
MODE_PLACES = {
    "chmod": 1,
    "fchmod": 1,
    "fchmodat": 2,
    "mkdir": 1,
    "mkdirat": 2,
    "creat": 1,
}
NEEDS_SYSTEMD = pytest.mark.skipif(
    not shutil.which("systemd-analyze"), reason="needs systemd-analyze"
)
NEEDS_ROOT = pytest.mark.skipif(
    sys.platform != "linux"
    or os.geteuid() != 0
    or not ctypes.util.find_library("seccomp")
    or not all(map(shutil.which, ("systemd-analyze", "systemd-tmpfiles"))),
    reason="needs root, libseccomp, systemd-analyze and systemd-tmpfiles",
)


class _ArgumentTest(ctypes.Structure):
    """`struct scmp_arg_cmp`: a test of an argument of a call."""

    _fields_ = (
        ("arg", ctypes.c_uint),
        ("op", ctypes.c_int),
        ("mask", ctypes.c_uint64),
        ("value", ctypes.c_uint64),
    )


def read_unit(path: Path) -> dict[str, str]:
    """Read the section of the service; of a repeated key the last value."""
    unit = ConfigParser(strict=False, interpolation=None)
    unit.optionxform = str  # type: ignore[assignment,method-assign]
    unit.read(path)
    return dict(unit["Service"])


def read_tmpfiles() -> list[list[str]]:
    """Read the lines of the folders that are made at boot, in words."""
    lines = (FOLDER / "answerable.tmpfiles").read_text().splitlines()
    return [line.split() for line in lines if not line.startswith("#")]


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
    """User, mounts, W^X, umask and filter of system calls of a unit.

    Args:
        path: The unit.
        ids: Numbers of its user and group, by name.
        places: Folder that stands for `/var/lib`, and is read-only but for
            the unit's `ReadWritePaths=` and `StateDirectory=`.
    """

    def __init__(self, path: Path, ids: dict[str, int], places: Path) -> None:
        unit = read_unit(path)
        self.user, self.group = ids[unit["User"]], ids[unit["Group"]]
        self.umask = int(unit["UMask"], 8)
        self.root = str(places)
        written = unit.get("ReadWritePaths", "").split()
        if "StateDirectory" in unit:
            written.append(f"/var/lib/{unit['StateDirectory']}")
        self.written = [re.sub("^/var/lib", self.root, each) for each in written]
        self.permitted = sorted(list_permitted_calls(path))
        self.restricts_ids = unit["RestrictSUIDSGID"] == "yes"
        self.libc = ctypes.CDLL(None, use_errno=True)
        self.seccomp = ctypes.CDLL(ctypes.util.find_library("seccomp"))
        self.seccomp.seccomp_init.restype = ctypes.c_void_p

    def apply(self) -> None:
        """Take the restrictions; root calls it in a new process."""
        assert self.libc.unshare(CLONE_NEWNS) == 0
        self._mount("none", "/", MS_REC | MS_PRIVATE)
        for each in (self.root, *self.written):
            self._mount(each, each, MS_BIND)
        self._mount("none", self.root, MS_REMOUNT | MS_BIND | MS_RDONLY)
        os.setgroups([])
        os.setresgid(self.group, self.group, self.group)
        os.setresuid(self.user, self.user, self.user)
        os.umask(self.umask)
        assert self.libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert self.libc.prctl(PR_SET_MDWE, PR_MDWE_REFUSE_EXEC_GAIN, 0, 0, 0) == 0
        rules = ctypes.c_void_p(self.seccomp.seccomp_init(SCMP_ACT_ERRNO | EPERM))
        for name in self.permitted:
            number = self.seccomp.seccomp_syscall_resolve_name(name.encode())
            if number >= 0:  # a call that this architecture has
                tests = self._list_argument_tests(name)
                added = self.seccomp.seccomp_rule_add_array(
                    rules, SCMP_ACT_ALLOW, number, len(tests), tests
                )
                assert added == 0
        assert self.seccomp.seccomp_load(rules) == 0

    def _list_argument_tests(self, name: str) -> "ctypes.Array[_ArgumentTest]":
        """Return the test of a mode: no set-user-ID and no set-group-ID bit."""
        place = MODE_PLACES.get(name) if self.restricts_ids else None
        if place is None:
            return (_ArgumentTest * 0)()
        test = _ArgumentTest(place, SCMP_CMP_MASKED_EQ, SET_ID_BITS, 0)
        return (_ArgumentTest * 1)(test)

    def _mount(self, source: str, target: str, flags: int) -> None:
        done = self.libc.mount(source.encode(), target.encode(), None, flags, None)
        assert done == 0, (target, os.strerror(ctypes.get_errno()))
