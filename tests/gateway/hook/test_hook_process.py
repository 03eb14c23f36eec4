"""The exit code of the hook's process: 2 is the one that clients take for a no."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from answerable import __main__
from answerable.cli.commands.hook import CLIENTS
from answerable.server.revocation_list import RevocationFile
from tests.gateway.hook.test_clients import claude
from tests.gateway.hook.test_hook import CONFIG, DEV, POLICY

BLOCK = 2


def started(
    folder: Path, mode: str, redirect: str, handles: tuple[int, ...] = ()
) -> subprocess.Popen[bytes]:
    (folder / "rules.cedar").write_text(POLICY)
    (folder / "answerable.yaml").write_text(CONFIG.replace("MODE", mode))
    command = f'"$0" -m answerable hook claude-code --config "$1" {redirect}'
    config = str(folder / "answerable.yaml")
    return subprocess.Popen(
        ["sh", "-c", f"exec {command}", sys.executable, config],
        stdin=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        pass_fds=handles,
        env={**os.environ, "HOME": str(folder)},
    )


@pytest.mark.parametrize(
    ("mode", "redirect", "code"),
    [
        ("enforce", ">/dev/full", BLOCK),
        ("enforce", ">/dev/full 2>/dev/full", BLOCK),
        ("observe", ">/dev/full", BLOCK),  # the agent is killed
    ],
)
def test_a_denial_that_cannot_be_written_is_a_no(
    tmp_path: Path, mode: str, redirect: str, code: int
) -> None:
    RevocationFile(tmp_path / "store" / "gateway").revoke(DEV)
    process = started(tmp_path, mode, redirect)
    process.communicate(json.dumps(claude(command="ls")).encode(), timeout=60)
    assert process.returncode == code


def test_a_pipe_that_the_client_closed_is_a_no(tmp_path: Path) -> None:
    RevocationFile(tmp_path / "store" / "gateway").revoke(DEV)
    reading, writing = os.pipe()
    os.close(reading)
    process = started(tmp_path, "enforce", f">&{writing}", (writing,))
    os.close(writing)
    process.communicate(json.dumps(claude(command="ls")).encode(), timeout=60)
    assert process.returncode == BLOCK


def test_an_answer_without_a_standard_output_is_a_no(tmp_path: Path) -> None:
    process = started(tmp_path, "enforce", ">&-")
    process.communicate(json.dumps(claude(command="ls")).encode(), timeout=60)
    assert process.returncode == BLOCK


def test_both_lists_of_clients_are_one() -> None:
    assert __main__._HOOK_CLIENTS == CLIENTS


def test_a_hook_that_cannot_be_imported_is_a_no(tmp_path: Path) -> None:
    (tmp_path / "click.py").write_text("raise ImportError\n")
    ran = subprocess.run(
        [sys.executable, "-m", "answerable", "hook", "cursor", "--config", "x"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=60,
        env={**os.environ, "PYTHONPATH": str(tmp_path)},
    )
    assert ran.returncode == BLOCK


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_a_hook_that_is_ended_says_no(tmp_path: Path, number: int) -> None:
    process = started(tmp_path, "enforce", ">/dev/null")
    assert process.stdin is not None
    # More than a pipe holds, and no end: once this is written, it reads.
    process.stdin.write(b'{"hook_event_name":"' + b"x" * (1 << 20))
    process.stdin.flush()
    process.send_signal(number)
    assert process.wait(60) == BLOCK
    process.stdin.close()
