"""A damaged checkpoint or public key of the log: each command names the file, exit 1."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from tests.cli.conftest import CommandResult

Run = Callable[..., CommandResult]
COMMANDS = (
    ("agents",),
    ("findings",),
    ("store", "stats"),
    ("scan", "aws:aws/account.json"),
    ("ingest", "cloudtrail:trail"),
    ("evidence", "checkpoint"),
)


@pytest.fixture
def store(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Path:
    """A store with the sample's account."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("ANSWERABLE_STORE", "store")
    write_sample(Path(), time.time_ns())
    assert main(["--quiet", "scan", "aws:aws/account.json"]) == 0
    capsys.readouterr()
    return tmp_path / "store"


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
@pytest.mark.parametrize("kept", [1, 0.5, 0.2])
@pytest.mark.parametrize("name", ["log/checkpoint", "keys/log.pub"])
def test_a_truncated_file_is_named(
    store: Path, run: Run, name: str, kept: float, words: tuple[str, ...]
) -> None:
    path = store / name
    data = path.read_bytes()
    path.write_bytes(data[: int(kept * len(data)) - 5])
    checked = run("-o", "json", "evidence", "verify")
    assert (checked.code, name in checked.out) == (1, True)
    ran = run(*words)
    if ran.code == 0:  # it verifies no signature
        assert words[0] in ("agents", "findings", "store")
        assert name == "keys/log.pub" or kept == 1
        return
    assert (ran.code, name in ran.err, "restore" in ran.err) == (1, True, True), ran.err
    assert path.read_bytes() == data[: int(kept * len(data)) - 5]
