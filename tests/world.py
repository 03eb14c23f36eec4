"""`make world`: what it needs of the system, then its tests, a process for each group.

    python tests/world.py --needs [--without NAME ...]    check the system
    python -m tests.world [ARG ...]                       run; arguments are pytest's

The check imports nothing but the standard library: it runs before anything is installed.
Browsers have a process of their own, since Playwright's synchronous API leaves an event
loop running in its process, and tests that call `asyncio.run` fail after it.
"""

import argparse
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

GROUPS = ("world and not browser", "world and browser")
NO_TESTS = 5  # pytest's exit code where none was collected
LINUX = (6, 5)


@dataclass(frozen=True)
class Need:
    """Something of the system that tests use.

    Attributes:
        name: As `WITHOUT` takes it.
        use: What it is for.
        install: The command, or what to do.
        is_there: Tells whether it is.
    """

    name: str
    use: str
    install: str
    is_there: Callable[[], bool]


def _is_recent_linux() -> bool:
    release = os.uname().release.split("-")[0].split(".")
    return sys.platform == "linux" and tuple(map(int, release[:2])) >= LINUX


NEEDS = (
    Need(
        "linux",
        "attestation, and the demo with an agent at work",
        "a kernel of 6.5 or later",
        _is_recent_linux,
    ),
    Need(
        "root",
        "starting another user's process, and mounting small file systems",
        "sudo make world",
        lambda: os.geteuid() == 0,
    ),
    Need(
        "npm",
        "foreign clients in Node, MCP's conformance suite, the bundle of the page",
        "apt-get install npm",
        lambda: shutil.which("npm") is not None,
    ),
    Need(
        "chromium",
        "the web page in a browser",
        "apt-get install chromium",
        Path("/usr/bin/chromium").exists,
    ),
    Need(
        "kubectl",
        "its exec plugin with a token of an agent",
        "apt-get install kubernetes-client",
        lambda: shutil.which("kubectl") is not None,
    ),
    Need(
        "kube-apiserver",
        "a cluster's own answers, and the chart accepted by a cluster",
        "apt-get install golang-go etcd-server rsync jq dpkg-dev && make api-server",
        lambda: (
            Path(".kube-apiserver/kube-apiserver").exists()
            and shutil.which("etcd") is not None
        ),
    ),
    Need(
        "postgresql",
        "replicas of the token service",
        "apt-get install postgresql",
        lambda: any(Path("/usr/lib/postgresql").glob("*/bin/initdb")),
    ),
    Need(
        "ceph",
        "a store in object storage, on a real S3 server",
        "apt-get install --no-install-recommends ceph-mon ceph-osd radosgw",
        lambda: all(map(shutil.which, ("ceph-mon", "ceph-osd", "radosgw"))),
    ),
)


def lacking(without: Sequence[str], needs: Sequence[Need] = NEEDS) -> list[str]:
    """Name each thing that is missing, with the command that installs it."""
    return [
        f"{need.name}: {need.use}; {need.install}"
        for need in needs
        if need.name not in without and not need.is_there()
    ]


def check(without: Sequence[str]) -> int:
    """Print what is missing; return 1 if anything is."""
    missing = lacking(without)
    for line in missing:
        print(f"make world needs {line}")
    if missing:
        names = " ".join(line.partition(":")[0] for line in missing)
        print(f'to run without: make world WITHOUT="{names}" (their tests are skipped)')
    return 1 if missing else 0


def run(arguments: Sequence[str]) -> int:
    """Run each group in a pytest process of its own; return 0 if all passed."""
    codes = []
    for group in GROUPS:
        print(f"== {group}", flush=True)
        began = time.monotonic()
        command = [sys.executable, "-m", "pytest", "-m", group, *arguments]
        codes.append(subprocess.run(command, check=False).returncode)
        print(f"== {group}: {(time.monotonic() - began) / 60:.1f} minutes", flush=True)
    return outcome(codes)


def outcome(codes: Sequence[int]) -> int:
    """Return the first failure; a group without tests is none if another had some."""
    failed = [code for code in codes if code not in (0, NO_TESTS)]
    if failed:
        return failed[0]
    return 0 if 0 in codes else NO_TESTS


def main() -> int:
    """Check or run."""
    if "--needs" not in sys.argv:
        return run(sys.argv[1:])
    parser = argparse.ArgumentParser()
    parser.add_argument("--needs", action="store_true")
    parser.add_argument("--without", nargs="*", default=[])
    return check(parser.parse_args().without)


if __name__ == "__main__":
    sys.exit(main())
