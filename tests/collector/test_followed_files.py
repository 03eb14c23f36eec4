"""Log files that grow and are rotated: each line is read once, none is lost."""

import os
import random
import shutil
import signal
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from answerable.cli.main import main
from answerable.collector import source_run
from answerable.collector.run_result import RunResult
from answerable.connectors import log_positions
from answerable.store.collection_state import read_unread_logs
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import ingest_logs
from tests.collector.log_files import append_lines


class FollowedFile:
    """Runs of one followed location, `audit.jsonl` in a folder or the folder itself."""

    def __init__(self, folder: Path, *, is_folder: bool) -> None:
        self.store = folder / "store"
        self.log = folder / "logs" / "audit.jsonl"
        self.log.parent.mkdir()
        self.location = self.log.parent if is_folder else self.log

    def run(self) -> RunResult:
        result = source_run.run_source(self.store, f"cloudtrail:{self.location}")
        assert not result.failure
        return replace(result, newest=0)

    def ids(self) -> set[int]:
        with EvidenceStore.open(self.store, now=1) as store:
            rows = store.run_query("SELECT native_id FROM events")
        ids = [int(str(row[0]).rpartition("-")[2]) for row in rows]
        assert len(ids) == len(set(ids))
        return set(ids)

    def quarantined(self) -> int:
        with EvidenceStore.open(self.store, now=1) as store:
            return len(store.list_objects("quarantine"))

    def unread(self) -> int:
        with EvidenceStore.open(self.store, now=1) as store:
            return sum(each.quarantined for each in read_unread_logs(store.layout))


@pytest.fixture(autouse=True)
def files_settle_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log_positions, "SETTLING_TIME", 0)


@pytest.fixture(params=["file", "folder"])
def followed(tmp_path: Path, request: pytest.FixtureRequest) -> FollowedFile:
    return FollowedFile(tmp_path, is_folder=request.param == "folder")


def test_only_the_new_lines_of_a_file_are_read(
    followed: FollowedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_lines(followed.log, 0, 50)
    assert followed.run() == RunResult(stored=50)
    parts: list[tuple[int, int]] = []
    read_part = log_positions.FileRead

    def record_part(*args: Any, **named: Any) -> log_positions.FileRead:
        parts.append(args[1:3])
        return read_part(*args, **named)

    monkeypatch.setattr(log_positions, "FileRead", record_part)
    before = followed.log.stat().st_size
    append_lines(followed.log, 50, 2)
    assert followed.run() == RunResult(stored=2)
    assert parts == [(before, followed.log.stat().st_size)]
    assert followed.ids() == set(range(52))


def test_a_partial_last_line_is_read_when_it_is_complete(
    followed: FollowedFile,
) -> None:
    append_lines(followed.log, 0, 3)
    whole = followed.log.read_bytes()
    for cut in (10, len(whole) - 20):  # in the first line, and in the last
        followed.log.write_bytes(whole[:cut])
        assert followed.run().is_partial
    with followed.log.open("ab") as file:
        file.write(whole[len(whole) - 20 : -1])  # its line break is still missing
    assert not followed.run().is_partial
    with followed.log.open("ab") as file:
        file.write(b"\n")
    append_lines(followed.log, 3, 1)
    assert followed.run() == RunResult(stored=1)
    assert followed.ids() == set(range(4))


def test_a_first_line_that_is_being_written_is_not_quarantined(
    followed: FollowedFile, monkeypatch: pytest.MonkeyPatch
) -> None:
    append_lines(followed.log, 0, 1)
    whole = followed.log.read_bytes()
    followed.log.write_bytes(whole[:50])
    monkeypatch.setattr(log_positions, "SETTLING_TIME", 10**12)
    assert followed.run() == RunResult()
    followed.log.write_bytes(whole)
    assert followed.run() == RunResult(stored=1)
    assert followed.quarantined() == 0


def test_the_rest_of_a_renamed_file_is_read(followed: FollowedFile) -> None:
    append_lines(followed.log, 0, 3)
    followed.run()
    append_lines(followed.log, 3, 2)
    followed.log.rename(followed.log.with_name("audit.jsonl.1"))
    append_lines(followed.log, 5, 2)
    assert followed.run() == RunResult(stored=4)
    assert followed.run() == RunResult()
    assert followed.ids() == set(range(7))


@pytest.mark.parametrize("later", [1, 9])
def test_a_file_that_was_copied_and_truncated_is_read_from_its_start(
    followed: FollowedFile, later: int
) -> None:
    append_lines(followed.log, 0, 3)
    followed.run()
    shutil.copy(followed.log, followed.log.with_name("old.jsonl"))
    os.truncate(followed.log, 0)
    append_lines(followed.log, 3, later)
    assert followed.run() == RunResult(stored=later)
    assert followed.ids() == set(range(3 + later))


def test_an_invalid_line_is_quarantined_once_and_stays_a_problem(
    followed: FollowedFile,
) -> None:
    append_lines(followed.log, 0, 2)
    followed.run()
    with followed.log.open("a") as file:
        file.write("garbage\n")
    append_lines(followed.log, 2, 1)
    for more in range(3):
        result = followed.run()
        assert result.is_partial
        assert any(
            "1 of 2 records could not be read" in each for each in result.problems
        )
        append_lines(followed.log, 3 + more, 1)
    assert followed.quarantined() == 1
    followed.log.unlink()
    append_lines(followed.log, 10, 1)
    assert not followed.run().is_partial
    assert followed.ids() == {0, 1, 2, 3, 4, 10}
    assert followed.unread() == 1  # the record is still not in the store
    assert main(["--store", str(followed.store), "trace"]) == 3
    ingest = ("ingest", f"cloudtrail:{followed.location}")
    assert main(["--store", str(followed.store), *ingest]) == 0
    assert followed.unread() == 0
    assert main(["--store", str(followed.store), "trace"]) == 0


def test_a_whole_file_that_is_read_again_counts_its_invalid_record_once(
    followed: FollowedFile,
) -> None:
    followed.log.write_text('[{"no": "record"}]')
    followed.run()
    followed.log.write_text('[{"no": "record"}, {"another": "one"}]')
    followed.run()
    assert followed.unread() == 2


def test_any_course_of_growth_and_rotation_stores_every_line_once(
    tmp_path: Path,
) -> None:
    followed = FollowedFile(tmp_path, is_folder=False)
    choose = random.Random(7)  # noqa: S311 - repeatable
    written = 0
    append_lines(followed.log, 0, 1)
    followed.run()
    for step in range(40):
        act = choose.choice(["grow", "grow", "half", "rename", "truncate", "run"])
        if act == "rename":
            followed.log.rename(followed.log.with_name(f"{step}.jsonl.old"))
            followed.log.touch()
        elif act == "truncate":
            followed.run()
            os.truncate(followed.log, 0)
        elif act == "run":
            followed.run()
        else:
            written += 1
            append_lines(followed.log, written, 1)
        if act == "half":
            whole = followed.log.read_bytes()
            os.truncate(followed.log, len(whole) - 30)
            followed.run()
            with followed.log.open("ab") as file:
                file.write(whole[-30:])
    followed.run()
    assert followed.ids() == set(range(written + 1))


KILLED_AT = {
    "before its records are stored": (ingest_logs, "_append_events"),
    "before its position is stored": (source_run, "write_log_cursor"),
    "before its records are sealed": (EvidenceStore, "seal"),
}


@pytest.mark.parametrize("step", KILLED_AT)
def test_a_run_that_is_killed_at_any_step_stores_every_line_once(
    followed: FollowedFile, step: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SIGKILL of the run, also between the journal and the position in the file."""
    append_lines(followed.log, 0, 3)
    followed.run()
    append_lines(followed.log, 3, 2)
    with followed.log.open("a") as file:
        file.write("no record\n")
    if not (killed := os.fork()):
        monkeypatch.setattr(*KILLED_AT[step], lambda *_: os.kill(os.getpid(), 9))
        followed.run()
        os._exit(0)
    assert os.waitpid(killed, 0)[1] == signal.SIGKILL
    followed.run()
    assert followed.ids() == set(range(5))
    assert followed.quarantined() == 1
    assert followed.unread() >= 1
    append_lines(followed.log, 5, 1)
    assert followed.run().stored == 1
    assert followed.ids() == set(range(6))
