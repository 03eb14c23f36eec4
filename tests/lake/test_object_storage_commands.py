"""Commands on a store in object storage, from two machines with the same keys."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from answerable.cli import main as command_line
from tests.lake.conftest import make_record
from tests.store.folder_bucket import FolderBucket

PLACE = "s3://evidence/prod"


class Machine:
    """One machine: its folder of data, and the commands that it runs."""

    def __init__(
        self,
        home: Path,
        monkeypatch: pytest.MonkeyPatch,
        capsys: pytest.CaptureFixture[str],
    ) -> None:
        self.home, self._patch, self._capsys = home, monkeypatch, capsys

    def run(self, *words: str, code: int = 0, store: str = PLACE) -> Any:
        ended, said = self.end(*words, store=store)
        assert ended == code, said
        return said

    def end(self, *words: str, store: str = PLACE) -> tuple[int, Any]:
        """Run a command; return exit code and document, or what it said instead."""
        self._patch.setenv("XDG_DATA_HOME", str(self.home))
        self._capsys.readouterr()
        ended = command_line.main(["--store", store, "-q", "-o", "json", *words])
        said = self._capsys.readouterr()
        return ended, json.loads(said.out) if said.out else said.err

    @property
    def folder(self) -> Path:
        (found,) = (self.home / "answerable-s3").iterdir()
        return found


def test_two_machines_use_one_store_and_refused_commands_say_so(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    bucket = FolderBucket(tmp_path / "bucket")
    monkeypatch.setattr(command_line, "_open_bucket", lambda location: bucket)
    first = Machine(tmp_path / "a", monkeypatch, capsys)
    second = Machine(tmp_path / "b", monkeypatch, capsys)
    query = ("sql", "SELECT count(*) AS n FROM events")
    assert "no store at" in first.run(*query, code=2)
    trail = tmp_path / "trail.json"
    trail.write_text(json.dumps({"Records": [make_record(n) for n in range(5)]}))
    first.run("ingest", f"cloudtrail:{trail}")
    assert "copy the folder keys" in second.run(*query, code=5)
    shutil.copytree(first.folder / "keys", second.folder / "keys", dirs_exist_ok=True)
    assert second.run(*query)["items"] == [{"n": 5}]
    assert len(second.run("trace")["items"]) == 5
    checks = second.run("evidence", "verify")["items"]
    assert {"storage", "segments"} <= {each["check"] for each in checks}
    for words in (("store", "compact"), ("store", "repair"), ("kill", "agent:a/b")):
        said = second.run(*words, code=2)
        assert "object storage" in said
        assert said.startswith("error: ")
    assert "expected s3://BUCKET/PREFIX" in first.run(*query, code=2, store="s3://A_B")
