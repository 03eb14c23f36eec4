"""A spool is measured while others change it: what cannot be seen stops no record."""

import errno
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.spool_segments import (
    count_spooled_bytes,
    replace_worker_recorder,
)
from tests.gateway.recording.recorder_fixture import (
    BODY,
    CALL,
    CALLER,
    DURABLE,
    recording,
    records,
    until,
)

AGENT = str(CALLER.agent)


class Spool:
    """What `os.scandir` sees; switched while a recorder runs.

    Attributes:
        errno: What it is refused with, 0 for nothing.
        looks: How often it was asked.
    """

    def __init__(self) -> None:
        self.errno = self.looks = 0
        self.goes: Path | None = None
        self._real = os.scandir

    def __call__(self, path: Any) -> Any:
        self.looks += 1
        if self.errno:
            raise OSError(self.errno, os.strerror(self.errno))
        if self.goes is None:
            return self._real(path)
        return self._late(path, self.goes)

    def _late(self, path: Any, goes: Path) -> Any:
        """List a folder, and remove something before anybody looks closer."""
        real = self._real(path)

        class Late:
            def __enter__(self) -> Iterator[os.DirEntry[str]]:
                return iter(listed)

            def __exit__(self, *_: object) -> None:
                real.close()

        listed = list(real)
        if Path(path) == goes.parent:
            self.goes = None
            shutil.rmtree(goes) if goes.is_dir() else goes.unlink()
        return Late()


@pytest.fixture
def looks(monkeypatch: pytest.MonkeyPatch) -> Spool:
    seen = Spool()
    monkeypatch.setattr("os.scandir", seen)
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.MEASURE_SECONDS", 0.01
    )
    return seen


async def _durable(recorder: GatewayRecorder) -> None:
    ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
    assert ticket.durable is not None
    await ticket.durable


def _file(spool: Path, name: str, size: int) -> Path:
    path = spool / name
    path.parent.mkdir(exist_ok=True, parents=True)
    path.write_bytes(bytes(size))
    return path


@pytest.mark.parametrize("goes", ["one", "one/000001.jsonl"])
def test_what_goes_while_it_is_measured_is_nothing(
    tmp_path: Path, looks: Spool, goes: str
) -> None:
    _file(tmp_path, "one/000001.jsonl", 100)
    _file(tmp_path, "two/000001.jsonl", 20)
    _file(tmp_path, "two/shipped.json", 3)
    _file(tmp_path, ".three/000001.jsonl", 5)  # gets its name once it is locked
    _file(tmp_path, "worker-0", 7)
    assert count_spooled_bytes(tmp_path) == 120
    looks.goes = tmp_path / goes
    assert count_spooled_bytes(tmp_path) == 20


def test_what_may_not_be_read_hides_nothing_else(tmp_path: Path, looks: Spool) -> None:
    _file(tmp_path, "one/000001.jsonl", 100)
    (tmp_path / "two").symlink_to(tmp_path / "none")
    (tmp_path / "one" / "000002.jsonl").symlink_to(tmp_path / "none")
    assert count_spooled_bytes(tmp_path) == 100
    assert count_spooled_bytes(tmp_path / "none") == 0


def test_a_recorder_that_is_shipped_while_the_next_one_starts_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "worker-0").write_text("gone")
    monkeypatch.setattr(
        "answerable.server.recording.spool_segments.list_record_files",
        lambda folder: [folder / "000001.jsonl"],
    )
    assert replace_worker_recorder(tmp_path, 0, "next") == ("gone", 0)


@pytest.mark.parametrize("number", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
def test_without_handles_the_last_figures_hold_and_the_recorder_goes_on(
    tmp_path: Path, looks: Spool, number: int
) -> None:
    _file(tmp_path, "one/000001.jsonl", 100_000)
    limits = WorkerLimits(spool_per_agent=1)

    async def story(recorder: GatewayRecorder) -> None:
        journal = recorder.journal
        await _durable(recorder)
        await until(lambda: journal.unshipped_bytes > 100_000)
        looks.errno = number
        _shipped(tmp_path, recorder.name)
        looked = looks.looks
        await until(lambda: looks.looks > looked + 3)
        assert journal.unshipped_bytes > 100_000
        assert journal.is_over_quota(AGENT)
        assert not recorder.disk_error
        looks.errno = 0
        await until(
            lambda: (
                not journal.is_over_quota(AGENT) and journal.unshipped_bytes < 10_000
            )
        )
        await _durable(recorder)

    recording(tmp_path, story, limits)


def _shipped(spool: Path, name: str) -> None:
    """Remove, as shipping would, what waits."""
    for recorder in ("one", name):
        (spool / recorder / "000001.jsonl").unlink()


def test_a_file_of_somebody_else_stops_no_record(tmp_path: Path, looks: Spool) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        await _durable(recorder)
        folder = tmp_path / recorder.name
        for name in ("000001 (copy).jsonl", "000002.jsonl.swp", "²²².jsonl", ".jsonl"):
            (folder / name).write_bytes(b"")
        looked = looks.looks
        await until(lambda: looks.looks > looked + 6)
        await _durable(recorder)
        for path in folder.glob("*[!1].jsonl"):
            path.unlink()

    recording(tmp_path, story)
    assert [record.sequence for record in records(tmp_path)] == [1, 2, 3, 4]
