"""The command line as a process: pipes that close, disks that fill, Ctrl-C."""

import json
import os
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.cli.main import main

COMMAND = [sys.executable, "-m", "answerable"]


@pytest.fixture
def settings(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    (home / ".cursor").mkdir(parents=True)
    servers = {f"server-{n}": {"command": "x" * 500} for n in range(200)}
    (home / ".cursor" / "mcp.json").write_text(json.dumps({"mcpServers": servers}))
    return {
        **os.environ,
        "HOME": str(home),
        "ANSWERABLE_STORE": str(tmp_path / "store"),
    }


def ran(
    settings: dict[str, str], *words: str, cwd: Path | None = None, **more: object
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [*COMMAND, *words],
        env=settings,
        cwd=cwd,
        text=True,
        check=False,
        timeout=60,
        stderr=subprocess.PIPE,
        **{"stdout": subprocess.PIPE, **more},
    )


Here = Callable[..., tuple[int, str, str]]


@pytest.fixture
def here(
    settings: dict[str, str],
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> Here:
    """Run in this process what asks nothing of a process of its own."""

    def run(*words: str, **more: str) -> tuple[int, str, str]:
        for name, value in {**settings, **more}.items():
            monkeypatch.setenv(name, value)
        capsys.readouterr()
        code = main(words)
        return code, *capsys.readouterr()

    return run


def test_a_reader_that_leaves_early_is_not_told_off(
    settings: dict[str, str], tmp_path: Path
) -> None:
    assert ran(settings, "scan", "home:~").returncode == 0
    child = subprocess.Popen(
        [*COMMAND, "tools", "-o", "json"],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    assert child.stdout is not None
    assert child.stderr is not None
    child.stdout.read(10)
    child.stdout.close()
    told = child.stderr.read()
    child.stderr.close()
    assert (child.wait(60), told) == (0, b"")


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")
def test_a_full_disk_is_5_in_two_lines(settings: dict[str, str]) -> None:
    with open("/dev/full", "w") as full:
        done = ran(settings, "doctor", stdout=full)
    assert done.returncode == 5
    first, *rest = done.stderr.splitlines()
    assert first.startswith("error: no space left")
    assert len(rest) == 1


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_store_that_may_not_be_made_is_5(
    settings: dict[str, str], tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir(mode=stat.S_IRUSR | stat.S_IXUSR)
    done = ran(settings, "agents", "--store", str(locked / "store"))
    assert (done.returncode, done.stdout) == (5, "")
    assert done.stderr.startswith("error: ")


def test_ctrl_c_is_130_without_a_traceback(settings: dict[str, str]) -> None:
    slow = (
        "import signal, sys, time\n"
        "from answerable.usecases.inventory import list_scan_locations as flow\n"
        "flow.list_scan_locations = lambda *_, **__: (print('up', flush=True), time.sleep(60))\n"
        # What a shell starts in the background hears of no Ctrl-C.
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from answerable.cli.main import main\n"
        "sys.exit(main(['where']))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", slow],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    assert child.stdout.readline() == "up\n"
    time.sleep(0.1)
    child.send_signal(signal.SIGINT)
    _, told = child.communicate(timeout=60)
    assert child.returncode == 130
    assert told.splitlines()[0] == "error: interrupted"
    assert "Traceback" not in told


@pytest.mark.parametrize("encoding", ["ascii", "latin-1", "utf-8"])
def test_every_locale_gets_an_answer(settings: dict[str, str], encoding: str) -> None:
    plain = {**settings, "PYTHONIOENCODING": encoding, "PYTHONUTF8": "0"}
    done = subprocess.run(
        [*COMMAND, "doctor"], env=plain, capture_output=True, check=False, timeout=60
    )
    assert (done.returncode, done.stderr) == (0, b"")
    text = done.stdout.decode(encoding)
    assert ("✔" in text) == (encoding == "utf-8")


def test_a_terminal_of_40_columns_is_kept_to(
    settings: dict[str, str], here: Here
) -> None:
    here("scan", "home:~")
    narrow = {**settings, "COLUMNS": "40"}
    assert max(map(len, ran(narrow, "tools").stdout.splitlines())) <= 40
    for words in (("tools",), ("agents",), ("where",), ("doctor",), ("credentials",)):
        code, out, err = here(*words, COLUMNS="40")
        assert code in (0, 1), err
        assert max(map(len, out.splitlines())) <= 40


def test_a_mistyped_store_is_told_and_nothing_appears_there(
    here: Here, tmp_path: Path
) -> None:
    assert here("scan", "home:~")[0] == 0
    for words in (
        ("agents",),
        ("who-owns", "ana"),
        ("attest", "ana", "--owner", "ana"),
        ("reach", "ana"),
        ("can", "ana", "s3:GetObject", "*"),
        ("who-can", "s3:GetObject", "*"),
        ("trace",),
        ("sql", "SELECT 1"),
        ("evidence", "verify"),
        ("evidence", "checkpoint"),
    ):
        code, _, err = here("--store", str(tmp_path / "stroe"), *words)
        assert code == 2, words
        assert f"no store at {tmp_path / 'stroe'}" in err
        assert "check the path" in err
        assert f"answerable scan --store {tmp_path / 'stroe'}" in err
    assert not (tmp_path / "stroe").exists()


@pytest.mark.parametrize("closed", [">&-", ">&- 2>&-", "<&- >&- 2>&-"])
def test_a_stream_that_is_closed_is_no_error(
    settings: dict[str, str], tmp_path: Path, closed: str
) -> None:
    assert ran(settings, "scan", "home:~").returncode == 0
    done = subprocess.run(
        ["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *COMMAND, "tools"],
        env=settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0
    assert "Traceback" not in done.stderr
    assert "error" not in done.stderr
    for path in (tmp_path / "store").rglob("*"):
        assert not path.is_file() or b"server-1 " not in path.read_bytes()


@pytest.mark.parametrize("after", [0.05, 0.1, 0.15, 0.2, 0.3])
def test_ctrl_c_while_it_is_imported_prints_no_traceback(
    settings: dict[str, str], after: float
) -> None:
    child = subprocess.Popen(
        [*COMMAND, "--help"],
        env=settings,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )
    time.sleep(after)
    child.send_signal(signal.SIGINT)
    errors = child.communicate(timeout=60)[1]
    # Before the first line of ours runs, the interpreter itself may say something.
    assert "Traceback" not in errors or "answerable" not in errors


@pytest.mark.parametrize("more", [[], ["--unmediated"]])
@pytest.mark.parametrize("limit", [2**62 + 1, 10**30])
def test_a_limit_beyond_64_bits_is_a_usage_error(
    here: Here, limit: int, more: list[str]
) -> None:
    from answerable.services.lineage.trace_rows import MAX_LIMIT

    assert here("scan", "home:~")[0] == 0
    code, _, err = here("trace", *more, "--limit", str(limit))
    assert (code, err) == (
        2,
        f"error: --limit must be at most {MAX_LIMIT} (got {limit})\nhint: use a "
        "smaller limit to list the newest rows\n",
    )
    assert here("trace", *more, "--limit", str(MAX_LIMIT))[0] == 0


def test_ctrl_c_ends_a_long_query(settings: dict[str, str], tmp_path: Path) -> None:
    store = str(tmp_path / "queried")
    (tmp_path / "empty").mkdir()
    source = f"home:{tmp_path / 'empty'}"
    assert ran(settings, "scan", source, "--store", store).returncode == 0
    long = "SELECT sum(a.range * b.range) FROM range(1000000) a, range(1000000) b"
    code = (
        "import signal, sys, threading\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
        "from concurrent.futures import ThreadPoolExecutor\n"
        "run = ThreadPoolExecutor.submit\n"
        "def submit(pool, call):\n"
        "    started = run(pool, call)\n"
        "    print('up', flush=True)\n"
        "    return started\n"
        "ThreadPoolExecutor.submit = submit\n"
        "from answerable.cli.main import main\n"
        f"sys.exit(main(['sql', {long!r}, '--store', {store!r}]))\n"
    )
    child = subprocess.Popen(
        [sys.executable, "-c", code],
        env=settings,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert child.stdout is not None
    while "up" not in child.stdout.readline():
        assert child.poll() is None
    time.sleep(2)  # past the queries that prepare the views
    child.send_signal(signal.SIGINT)
    _, errors = child.communicate(timeout=60)
    assert child.returncode == 130
    assert "Traceback" not in errors


def test_a_process_ends_after_its_threads_and_handlers_and_frees_nothing() -> None:
    code = """
import atexit, sys, threading, time
import answerable.cli.main
from answerable.__main__ import run_and_exit

class Kept:
    def __del__(self):
        print("freed")

kept = Kept()

def work():
    time.sleep(0.3)
    print("thread")

def main():
    atexit.register(print, "handler")
    threading.Thread(target=work).start()
    print("main")
    return 3

answerable.cli.main.main = main
run_and_exit()
"""
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (ended.returncode, ended.stderr) == (3, "")
    assert ended.stdout.splitlines() == ["main", "thread", "handler"]
