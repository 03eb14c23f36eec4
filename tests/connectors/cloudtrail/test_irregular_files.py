"""Pipes and devices in a folder of logs: they are named, and never opened."""

import os
from pathlib import Path

from answerable.connectors.cloudtrail import fetch
from answerable.connectors.log_files import MAX_NAMED_IRREGULAR
from answerable.model.connector import EventBatch, EventContext

DAY = Path(__file__).parents[2] / "data" / "cloudtrail" / "day.json"


def batches(folder: Path) -> list[EventBatch]:
    return list(fetch.read(str(folder), EventContext()))


def test_pipes_and_devices_in_a_folder_are_named_within_a_bound(tmp_path: Path) -> None:
    (tmp_path / "a.json").write_bytes(DAY.read_bytes())
    (tmp_path / "b.json").symlink_to("/dev/zero")
    os.mkfifo(tmp_path / "c.json.gz")
    os.mkfifo(tmp_path / "not-a-log")
    read = batches(tmp_path)
    assert any(batch.events for batch in read)
    assert [s for batch in read for s in batch.skipped] == [
        "not a .json, .jsonl or .ndjson file"
    ]
    what = "not a regular file (a pipe, socket or device): it is not read"
    assert [(each.place, each.what) for b in read for each in b.problems] == [
        (str(tmp_path / name), what) for name in ("b.json", "c.json.gz")
    ]
    for number in range(MAX_NAMED_IRREGULAR):
        os.mkfifo(tmp_path / f"d{number}.json")
    problems = [each for batch in batches(tmp_path) for each in batch.problems]
    assert len(problems) == MAX_NAMED_IRREGULAR + 1
    assert problems[-1].place == str(tmp_path)
    assert problems[-1].what == "2 more are not regular files: they are not read"
