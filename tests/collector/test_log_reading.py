"""A scheduled log: each file is read until it was read whole, and again if it changes."""

import os
import random
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from answerable.collector import source_run
from answerable.collector.run_result import RunResult
from answerable.connectors import log_positions
from answerable.model.documents.shared_shapes import Document
from answerable.store.store import EvidenceStore
from tests.collector.log_files import write_log


class LogReader:
    """Runs of one log in this process; `read` has the records of each run."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.logs = folder, folder / "logs"
        self.logs.mkdir()
        self.read: list[int] = []

    def run(self) -> RunResult:
        result = source_run.run_source(self.folder / "store", f"cloudtrail:{self.logs}")
        self.newest = result.newest
        return replace(result, newest=0)

    def ids(self) -> set[int]:
        with EvidenceStore.open(self.folder / "store", now=1) as store:
            rows = store.run_query("SELECT native_id FROM events")
        ids = [int(str(row[0]).rpartition("-")[2]) for row in rows]
        assert len(ids) == len(set(ids))
        return set(ids)


@pytest.fixture
def reader(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> LogReader:
    made = LogReader(tmp_path)
    ingest = source_run.ingest_logs

    def count(*args: Any, **named: Any) -> Document:
        document = ingest(*args, **named)
        made.read.append(document.items[0]["read"])  # type: ignore[arg-type]
        return document

    monkeypatch.setattr(source_run, "ingest_logs", count)
    monkeypatch.setattr(log_positions, "SETTLING_TIME", 0)
    return made


def test_only_new_and_changed_files_are_read(reader: LogReader) -> None:
    write_log(reader.logs / "1.json", 0, 5)
    write_log(reader.logs / "2.json", 5, 5)
    assert reader.run() == RunResult(stored=10)
    assert reader.newest == 1795860000 * 10**9  # 2026-11-28T10:00:00Z
    assert reader.run() == RunResult()
    assert reader.newest == 0
    write_log(reader.logs / "2.json", 5, 7)  # it grew
    write_log(reader.logs / "3.json", 12, 1)
    assert reader.run() == RunResult(stored=3)
    assert reader.read == [10, 0, 8]
    assert reader.ids() == set(range(13))


def test_a_file_with_other_content_of_the_same_size_and_time_is_read(
    reader: LogReader,
) -> None:
    path = reader.logs / "1.json"
    write_log(path, 0, 5)
    reader.run()
    about = path.stat()
    write_log(path, 5, 5)
    os.utime(path, ns=(about.st_atime_ns, about.st_mtime_ns))
    assert path.stat().st_size == about.st_size
    assert reader.run().stored == 5


def test_old_files_that_are_moved_in_are_read(reader: LogReader) -> None:
    write_log(reader.folder / "old" / "1.json", 0, 5)
    write_log(reader.logs / "1.json", 5, 5)
    reader.run()
    (reader.folder / "old").rename(reader.logs / "old")
    assert reader.run().stored == 5


def test_a_file_that_changed_a_moment_ago_is_read_again(
    reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log_positions, "SETTLING_TIME", 3600 * 10**9)
    write_log(reader.logs / "1.json", 0, 5)
    reader.run()
    reader.run()
    assert reader.read == [5, 5]


def test_a_file_that_is_not_read_whole_is_read_until_it_is(reader: LogReader) -> None:
    write_log(reader.logs / "1.json", 0, 5)
    reader.run()
    write_log(reader.logs / "2.json", 5, 5)
    whole = (reader.logs / "2.json").read_bytes()
    (reader.logs / "2.json").write_bytes(whole[: len(whole) // 2])  # half written
    for _ in range(2):
        result = reader.run()
        assert result.is_partial
        assert result.problems
    (reader.logs / "2.json").write_bytes(whole)
    assert not reader.run().is_partial
    assert reader.run() == RunResult()
    assert reader.ids() == set(range(10))


@pytest.mark.parametrize("data", [b"", b"[]", b'{"x": 1}', b"\xff"])
def test_without_a_readable_cursor_everything_is_read(
    reader: LogReader, data: bytes
) -> None:
    write_log(reader.logs / "1.json", 0, 5)
    reader.run()
    (cursor,) = (reader.folder / "store" / "collector").glob("cursor-*.json")
    cursor.write_bytes(data)
    assert reader.run() == RunResult()
    assert reader.read == [5, 5]


def test_a_cut_off_run_is_repeated_whole(
    reader: LogReader, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_log(reader.logs / "1.json", 0, 5)
    with monkeypatch.context() as patched:
        patched.setattr(source_run, "write_log_cursor", exit_now)
        with pytest.raises(SystemExit):
            reader.run()
    assert reader.ids() == set(range(5))  # durable before their position
    assert reader.run() == RunResult()
    assert reader.read == [5]
    assert reader.ids() == set(range(5))


def exit_now(*_: object) -> None:
    raise SystemExit


def test_any_course_of_changes_stores_every_event_that_a_run_could_see(
    reader: LogReader,
) -> None:
    choose = random.Random(41)  # noqa: S311 - repeatable
    visible: dict[str, set[int]] = {}
    stored: set[int] = set()
    for step in range(60):
        name = f"{choose.randrange(5)}.json"
        path = reader.logs / name
        act = choose.choice(["write", "write", "grow", "remove", "rename", "run"])
        if act == "write" or name not in visible:
            write_log(path, step * 10, 3)
            visible[name] = set(range(step * 10, step * 10 + 3))
        elif act == "grow":
            first = min(visible[name])
            count = len(visible[name]) + 1
            write_log(path, first, count)
            visible[name] = set(range(first, first + count))
        elif act == "remove":
            path.unlink()
            del visible[name]
        elif act == "rename":
            other = f"{choose.randrange(5)}.json"
            path.rename(reader.logs / other)
            visible[other] = visible.pop(name)
        if act == "run" and visible:
            assert not reader.run().failure
            stored |= set().union(*visible.values())
            assert reader.ids() == stored
    assert len(stored) > 20
