"""Debian's PostgreSQL, started for a test on a socket in a folder of its own."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest


def _programs() -> Path:
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"))
    if not found:
        pytest.skip("needs PostgreSQL: apt-get install postgresql")
    return found[-1].parent


def _as_postgres(command: list[str]) -> list[str]:
    """It refuses to run as root."""
    if os.geteuid() != 0:
        return command
    return [shutil.which("runuser") or "runuser", "-u", "postgres", "--", *command]


@contextmanager
def postgres() -> Iterator[str]:
    """Run a server; gives the address of its database."""
    programs = _programs()
    # A short path: a socket's name has a hundred letters at most.
    folder = Path(
        subprocess.run(
            _as_postgres(["mktemp", "-d", "/tmp/answerable-pg-XXXXXX"]),
            check=True,
            capture_output=True,
            text=True,
            cwd="/",
        ).stdout.strip()
    )
    data = folder / "data"
    _run(programs / "initdb", "-D", data, "-A", "trust", "-U", "sts", "--no-sync")
    command = [str(programs / "postgres"), "-D", str(data), "-k", str(folder)]
    command += ["-c", "listen_addresses=", "-c", "max_connections=50"]
    with (folder.parent / f"{folder.name}.log").open("wb") as log:
        server = subprocess.Popen(
            _as_postgres(command), stdout=log, stderr=log, cwd="/"
        )
    address = f"postgresql://sts@/postgres?host={folder}"
    try:
        _wait(programs, folder)
        yield address
    finally:
        # Its own word on its own pid: `runuser` may stand between.
        pid = (data / "postmaster.pid").read_text().split()[0]
        os.kill(int(pid), 3)  # SIGQUIT: at once
        server.wait(60)
        shutil.rmtree(folder, ignore_errors=True)
        Path(f"{folder}.log").unlink(missing_ok=True)


def _run(program: Path, *arguments: object) -> None:
    command = _as_postgres([str(program), *map(str, arguments)])
    subprocess.run(command, check=True, capture_output=True, cwd="/")


def _wait(programs: Path, folder: Path) -> None:
    ready = [str(programs / "pg_isready"), "-q", "-h", str(folder), "-U", "sts"]
    for _ in range(100):
        if subprocess.run(ready, check=False, cwd="/").returncode == 0:
            return
        time.sleep(0.1)
    raise AssertionError("the server did not start")
