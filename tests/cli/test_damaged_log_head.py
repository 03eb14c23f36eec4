"""A damaged checkpoint or key of the log: each command names the file, and exits with 1."""

import base64
from collections.abc import Callable
from pathlib import Path

import pytest

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
def store(sample_account: Path) -> Path:
    return sample_account


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
        assert name == "keys/log.pub"
        return
    assert (ran.code, name in ran.err, "restore" in ran.err) == (1, True, True), ran.err
    assert path.read_bytes() == data[: int(kept * len(data)) - 5]


def test_a_checkpoint_without_its_last_signed_bytes_is_named(
    store: Path, run: Run
) -> None:
    path = store / "log" / "checkpoint"
    data = path.read_bytes()
    lost = base64.b64encode(base64.b64decode(data.split(b" ")[-1])[:-3])
    path.write_bytes(data[: data.rindex(b" ") + 1] + lost + b"\n")
    for words in COMMANDS:
        ran = run(*words)
        assert (ran.code, "log/checkpoint: " in ran.err) == (1, True), words


@pytest.mark.parametrize("name", ["log.key", "fingerprint.key"])
@pytest.mark.parametrize("change", ["cut", "other", "letters", "empty"])
def test_a_damaged_secret_key_is_named_and_nothing_is_signed(
    store: Path, run: Run, name: str, change: str
) -> None:
    path = store / "keys" / name
    text = path.read_text()
    changed = {
        "cut": text[:40],
        "other": f"{int(text[0], 16) ^ 1:x}{text[1:]}",
        "letters": "\u00e9" + text[1:],
        "empty": "",
    }[change]
    path.write_text(changed)
    before = (store / "log" / "checkpoint").read_bytes()
    for words in (("ingest", "cloudtrail:trail"), ("scan", "aws:aws/account.json")):
        ran = run(*words)
        first, *rest = ran.err.splitlines()
        assert (ran.code, f"keys/{name}" in first) == (1, True), ran.err
        assert "hint: restore" in "\n".join(rest)
        assert text.strip() not in ran.err + ran.out
    checked = run("-o", "json", "evidence", "verify")
    assert (checked.code, f"keys/{name}" in checked.out) == (1, True)
    assert (store / "log" / "checkpoint").read_bytes() == before
    if name == "log.key":  # no question signs
        assert run("agents").code == 0
