"""Room at the end of a file: lines take its place, and syncing them changes no length."""

import errno
import os
from pathlib import Path

import pytest

from answerable.gateway.recording.recorder import GatewayRecorder
from tests.gateway.recording.recorder_fixture import (
    BODY,
    CALL,
    CALLER,
    DURABLE,
    lines,
    recording,
    records,
    until,
)


def test_a_file_that_is_written_to_has_room_and_one_that_is_done_has_none(
    tmp_path: Path,
) -> None:
    sizes = set()

    async def story(recorder: GatewayRecorder) -> None:
        for _ in range(20):
            waits = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            assert waits.durable is not None
            await waits.durable
            sizes.add(_size(tmp_path))

    recording(tmp_path, story)
    assert len(sizes) == 1, "syncing a line changed the length of its file"
    assert _size(tmp_path) == sum(map(len, lines(tmp_path)))


def _size(spool: Path) -> int:
    (file,) = spool.glob("*/*.jsonl")
    return file.stat().st_size


def test_without_room_the_disk_still_takes_what_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(handle: int, data: bytes, offset: int) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr("os.pwrite", full)

    async def story(recorder: GatewayRecorder) -> None:
        for _ in range(3):
            waits = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            assert waits.durable is not None
            await waits.durable
        assert not recorder.disk_error

    recording(tmp_path, story)
    assert [r.sequence for r in records(tmp_path)] == [1, 2, 3, 4, 5]


def test_room_is_no_evidence_that_waits(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.MEASURE_SECONDS", 0.0
    )

    async def story(recorder: GatewayRecorder) -> None:
        for _ in range(3):
            waits = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            assert waits.durable is not None
            await waits.durable
        written = sum(map(len, lines(tmp_path)))
        await until(lambda: recorder.journal.unshipped_bytes == written)

    recording(tmp_path, story)
