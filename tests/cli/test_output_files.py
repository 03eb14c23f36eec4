"""Files that a command writes: a folder, pipe or device is refused and stays."""

import os
import stat
from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.store.store import EvidenceStore
from tests.store.conftest import NOW
from tests.store.conftest import _make as event


@pytest.mark.parametrize("out", [".", "..", "/", "pipe"])
def test_only_a_regular_file_is_replaced(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    out: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    os.mkfifo("pipe")
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        store.append([event(1)], NOW)
        store.seal(NOW)
        (tmp_path / "old").write_bytes(store.log.checkpoint())
        (key,) = [row[0] for row in store.run_query("SELECT event_id FROM events")]
    for words in (["bundle", key.hex()], ["consistency", "old"]):
        assert main(["--store", "store", "evidence", *words, "--out", out]) == 2
        assert f"{out} is not a regular file" in capsys.readouterr().err
    assert stat.S_ISFIFO((tmp_path / "pipe").stat().st_mode)
    assert {each.name for each in tmp_path.iterdir()} == {"store", "old", "pipe"}
