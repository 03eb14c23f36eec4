"""Files and missing folders, given to the commands of tiles."""

from pathlib import Path

import pytest

from answerable.cli.main import main
from answerable.store.store import EvidenceStore


def test_a_file_and_a_missing_folder_are_refused_in_one_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    now = 1_800_000_000_000_000_000
    with EvidenceStore.open(tmp_path / "store", now=now) as opened:
        opened.put_object("note", b"kept", now)
    store = ["--store", str(tmp_path / "store"), "evidence"]
    (tmp_path / "notes").write_text("mine")
    assert main([*store, "tiles", "--to", str(tmp_path / "notes")]) == 2
    assert "error: --to requires a folder" in capsys.readouterr().err
    assert (tmp_path / "notes").read_text() == "mine"
    key = str(tmp_path / "store" / "keys" / "log.pub")
    for name in ("notes", "missing"):
        tiles = ["--tiles", str(tmp_path / name), "--key", key]
        assert main([*store, "verify", *tiles]) == 2
        error = capsys.readouterr().err
        assert error.startswith("error: no tiles in this folder")
        assert "Traceback" not in error
