"""Named pipes, sockets and devices where a file is named: one line at once, no waiting."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import FrameType

import pytest

from answerable.cli.main import main
from answerable.connectors import regular_file
from answerable.connectors.regular_file import open_named_file, read_named_file
from answerable.model.errors import UsageError

SECONDS = 60  # for a command that reads a file of a few bytes
ROLE = "arn:aws:iam::111122223333:role/app"
KINDS = ("pipe", "socket", "zero", "null", "tty")

# Each place where a command names a file.
COMMANDS: dict[str, tuple[str, ...]] = {
    "verify": ("evidence", "verify", "{}"),
    "verify --key": ("evidence", "verify", "{}", "--key", "{}"),
    "scan aws": ("scan", "aws:{}"),
    "scan aws-org": ("scan", "aws-org:{}"),
    "scan aws-resources": ("scan", "aws-resources:{}"),
    "scan aws-keys": ("scan", "aws-keys:{}"),
    "scan config": ("scan", "config:{}"),
    "scan --config": ("scan", "--config", "{}"),
    "ingest cloudtrail": ("ingest", "cloudtrail:{}"),
    "ingest gateway": ("ingest", "gateway:{}"),
    "serve --config": ("serve", "--config", "{}"),
    "gateway try": ("gateway", "try", "--config", "{}"),
    "token-service rules": ("token-service", "rules", "--config", "{}"),
    "token-service explain": ("token-service", "explain", "{}", "--config", "{}"),
    "hook": ("hook", "claude-code", "--config", "{}"),
    "what-if --with": ("what-if", ROLE, "--with", "{}"),
    "reach --session-policy": ("reach", ROLE, "--session-policy", "{}"),
    "reach --endpoint-policy": ("reach", ROLE, "--endpoint-policy", "{}"),
    "owner-keys enroll": ("owner-keys", "enroll", "{}", "--person", "a@b.example"),
    "requests file": ("requests", "file", "agent:declared/a", "{}", "--key", "{}"),
    "run --request": (
        *("run", "--agent", "a", "--request", "{}", "--key", "{}"),
        *("--", "true"),
    ),
    "decision": ("decision", "01" * 16, "--config", "{}"),
    "attest": ("attest", "agent:declared/a", "--owner", "a@b.example", "--key", "{}"),
    "login": ("login", "--config", "{}"),
}


@contextmanager
def within(seconds: int) -> Iterator[None]:
    """Fail instead of waiting for ever in a system call."""

    def late(number: int, frame: FrameType | None) -> None:
        raise AssertionError(f"it still waited after {seconds} seconds")

    before = signal.signal(signal.SIGALRM, late)
    signal.alarm(seconds)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)


@pytest.fixture
def special(tmp_path: Path) -> Iterator[Callable[[str], str]]:
    with socket.socket(socket.AF_UNIX) as listening:

        def made(kind: str) -> str:
            path = tmp_path / kind
            if kind == "pipe":
                os.mkfifo(path)
            elif kind == "socket":
                listening.bind(str(path))
            else:
                return f"/dev/{kind}"
            return str(path)

        yield made


@pytest.mark.parametrize("kind", KINDS)
def test_no_command_waits_at_what_is_no_file(
    kind: str,
    special: Callable[[str], str],
    tmp_path: Path,
    counted: list[str],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    path = special(kind)
    for name, words in COMMANDS.items():
        argv = [each.format(path) for each in words]
        with within(SECONDS):
            code = main(["--store", str(tmp_path / "store"), *argv])
        counted.append(kind)
        said = capsys.readouterr()
        assert code in (1, 2, 3, 5), (name, code, said.err)
        assert "Traceback" not in said.err, name


def test_a_pipe_for_a_checkpoint_is_refused_as_no_regular_file(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    os.mkfifo(tmp_path / "pipe")
    words = ("evidence", "verify", "--checkpoint", str(tmp_path / "pipe"))
    assert main(["--store", str(tmp_path / "store"), *words]) == 2
    assert "not a regular file for --checkpoint (got" in capsys.readouterr().err


def test_a_refused_pipe_is_told_in_one_line_with_a_hint(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UsageError) as refused:
        read_named_file(tmp_path / "pipe")
    assert refused.value.message.endswith("is a named pipe (expected a regular file)")
    assert refused.value.hint == "save the data to a regular file first"


def test_no_command_waits_at_a_pipe_inside_a_store(
    tmp_path: Path, counted: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    store, copy, trail = (tmp_path / each for each in ("store", "copy", "trail.json"))
    trail.write_text(json.dumps({"Records": [event(number) for number in range(10)]}))
    assert main(["--store", str(store), "ingest", f"cloudtrail:{trail}"]) == 0
    assert main(["--store", str(store), "trace"]) == 0
    files = [each for each in sorted(store.rglob("*")) if each.is_file()]
    for file in files:
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(store, copy)
        place = copy / file.relative_to(store)
        place.unlink()
        os.mkfifo(place, 0o600)
        for words in (("evidence", "verify"), ("trace",)):
            with within(SECONDS):
                assert main(["--store", str(copy), *words]) in (0, 1, 3, 5), place
            counted.append(words[0])
    assert len(files) > 8


def event(number: int) -> dict[str, object]:
    return {
        "eventVersion": "1.08",
        "eventID": f"{number:08d}-0000-4000-8000-000000000000",
        "eventTime": "2026-11-01T00:00:00Z",
        "eventSource": "s3.amazonaws.com",
        "eventName": "GetObject",
        "awsRegion": "us-east-1",
        "userIdentity": {
            "type": "IAMUser",
            "arn": "arn:aws:iam::111122223333:user/a",
            "accountId": "111122223333",
        },
        "recipientAccountId": "111122223333",
    }


def test_a_query_without_end_is_stopped(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    place = ["--store", str(tmp_path / "store")]
    main([*place, "scan", f"repo:{tmp_path}"])
    endless = (
        "WITH RECURSIVE a(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM a) "
        "SELECT max(n) FROM a"
    )
    with within(SECONDS):
        code = main([*place, "sql", endless, "--timeout", "1s"])
    assert code == 2
    assert "the query took longer than 1 seconds" in capsys.readouterr().err


def test_what_a_shell_pipes_in_is_read(tmp_path: Path) -> None:
    script = f"{sys.executable} -m answerable what-if {ROLE} --with <(echo nonsense)"
    ran = subprocess.run(
        ["bash", "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"ANSWERABLE_STORE": str(tmp_path / "store")},
    )
    assert "named pipe" not in ran.stderr


def test_a_shells_pipe_from_which_nothing_comes_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(regular_file, "READ_TIMEOUT", 0.1)
    reading, writing = os.pipe()
    try:
        with (
            within(SECONDS),
            open_named_file(f"/dev/fd/{reading}") as file,
            pytest.raises(UsageError),
        ):
            file.read()
    finally:
        os.close(reading)
        os.close(writing)


def test_a_shells_pipe_is_read_to_its_end() -> None:
    reading, writing = os.pipe()
    data = os.urandom(300_000)

    def write() -> None:
        with os.fdopen(writing, "wb") as file:
            file.write(data)

    writer = threading.Thread(target=write)
    writer.start()
    with within(SECONDS):
        assert read_named_file(f"/dev/fd/{reading}") == data
    writer.join()
    os.close(reading)
