"""A spool is read while it is written: each record once and in order, none torn."""

import io
import threading
import time
from collections.abc import Callable
from itertools import count
from pathlib import Path

import pytest

from answerable.connectors.gateway.fetch import SpoolReader
from answerable.connectors.gateway.spool_tail import SpoolTail
from answerable.evidence.spool_format import encode_record, encode_spool_lines
from answerable.model.connector import EventLimits
from answerable.server.recording import spool_segments
from answerable.server.recording.spool_segments import (
    SegmentWriter,
    replace_worker_recorder,
)
from tests.connectors.gateway.spool_files import DENY, NAME, decided, opened

BLOCK = 4096  # bytes that one read gives

Look = Callable[[], list[int]]
Between = Callable[[bytes], None]


class Recorder:
    """Writes groups of decisions, into room as a gateway's recorder does."""

    def __init__(self, spool: Path, room: int = spool_segments.PREALLOCATED) -> None:
        self._segments = SegmentWriter(spool, NAME, room=room)
        self.recorded = 0
        self.close = self._segments.close
        self._write([encode_record(opened())])

    def group(self, size: int) -> None:
        """Record so many at once."""
        first = self.recorded + 1
        self._write(
            [encode_record(decided(n, DENY)) for n in range(first, first + size)]
        )

    def _write(self, records: list[bytes]) -> None:
        data, chain = encode_spool_lines(records, self._segments.chain)
        self._segments.write(data, chain)
        self.recorded += len(records)


def shipping(spool: Path) -> Look:
    """Read as whoever ships does, and remove what was read."""

    def look() -> list[int]:
        reading = SpoolReader(spool)
        batches = list(reading.read_batches(EventLimits()))
        reading.remove_shipped()
        assert [p.what for batch in batches for p in batch.problems] == []
        assert [q.why for batch in batches for q in batch.quarantined] == []
        return [event.sequence for batch in batches for event in batch.events]

    return look


def following(spool: Path) -> Look:
    """Read as a page does that shows decisions as they are made."""
    tail = SpoolTail(spool)
    return lambda: [event.sequence for event in tail.read_new_decisions()]


READERS = pytest.mark.parametrize("reader", [shipping, following])


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture
def recorder(tmp_path: Path) -> Recorder:
    return Recorder(tmp_path)


@pytest.fixture
def between(monkeypatch: pytest.MonkeyPatch) -> Callable[[Between], None]:
    """Have a spool's files read in blocks, and something happen after each of them."""
    really = Path.open

    def install(happens: Between) -> None:
        class Blocks(io.FileIO):
            def readinto(self, buffer) -> int:
                size = super().readinto(memoryview(buffer)[:BLOCK]) or 0
                happens(bytes(memoryview(buffer)[:size]))
                return size

        def opening(path: Path, mode: str = "r", *args, **kwargs):
            if mode == "rb" and path.suffix == spool_segments.SUFFIX:
                return io.BufferedReader(Blocks(path), BLOCK)
            return really(path, mode, *args, **kwargs)

        monkeypatch.setattr(Path, "open", opening)

    return install


@READERS
@pytest.mark.parametrize("before", [1, 4, 9, 40])
@pytest.mark.parametrize("meanwhile", [1, 60, 500])
def test_what_is_written_between_two_reads_is_read_whole(
    tmp_path: Path, recorder: Recorder, between, reader, before: int, meanwhile: int
) -> None:
    """The first of the reads sees room where the second finds lines."""
    recorder.group(before)
    look, times = reader(tmp_path), iter([meanwhile])

    def happens(read: bytes) -> None:
        if b"\0" in read:
            recorder.group(next(times, 0))

    between(happens)
    first = look()
    assert recorder.recorded == 1 + before + meanwhile
    assert first[:before] == list(range(2, before + 2))
    second = look()
    recorder.close()
    found = [*first, *second, *look()]
    assert found == list(range(2, recorder.recorded + 1))


@READERS
def test_whenever_it_is_looked_at_each_record_is_read_once_and_in_order(
    tmp_path: Path, between, reader, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Through several files, while a thread writes as fast as it can."""
    monkeypatch.setattr(spool_segments, "SEGMENT_BYTES", 300 << 10)
    recorder, until = Recorder(tmp_path, room=64 << 10), time.monotonic() + 0.3

    def write() -> None:
        for number in count(1):
            recorder.group(1 + number % 13)
            if time.monotonic() > until:
                return
            time.sleep(0.0005)

    between(lambda read: time.sleep(0) if b"\0" in read else None)
    look, found, writing = reader(tmp_path), [], threading.Thread(target=write)
    writing.start()
    while writing.is_alive():
        found += look()
    writing.join()
    recorder.close()
    found += [*look(), *look()]
    assert found == list(range(2, recorder.recorded + 1))


def test_who_follows_goes_on_where_a_file_that_is_done_kept_its_room(
    tmp_path: Path, recorder: Recorder, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A disk that refuses may refuse to cut the file, too."""
    monkeypatch.setattr(spool_segments, "SEGMENT_BYTES", 1)
    monkeypatch.setattr("os.ftruncate", lambda handle, size: None)
    look = following(tmp_path)
    for number in range(2, 6):
        recorder.group(1)
        assert look() == [number]
    recorder.close()


def test_who_comes_after_counts_what_can_be_read_before_a_hole(
    tmp_path: Path, recorder: Recorder
) -> None:
    """A power loss took part of the last group, over its last line's beginning."""
    recorder.group(9)
    recorder.close()
    (file,) = (tmp_path / NAME).glob("*.jsonl")
    whole = bytearray(file.read_bytes())
    at = whole.rindex(b"\n", 0, -1) - 100
    whole[at : at + 200] = bytes(200)
    file.write_bytes(whole)
    (tmp_path / "worker-0").write_text(NAME)
    assert replace_worker_recorder(tmp_path, 0, "after") == (NAME, 8)
