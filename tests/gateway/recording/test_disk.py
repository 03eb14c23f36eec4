"""A disk that refuses: nothing goes on unrecorded, and nothing recorded is lost."""

import asyncio
import errno
import os
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.connectors.gateway.fetch import SpoolReader
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.connector import EventLimits
from answerable.model.errors import EnvironmentFailure
from answerable.model.spool_record import CallEndRecord, CallOutcome, DecisionRecord
from answerable.server.recording.record_ticket import NotRecorded
from tests.gateway.recording.recorder_fixture import (
    BODY,
    BUFFERED,
    CALL,
    CALLER,
    COMPLETED,
    DENIED,
    DURABLE,
    lines,
    recording,
    records,
    until,
)


class Disk:
    """What syncing a file does; switched while a recorder runs."""

    def __init__(self) -> None:
        self.errno = 0
        self.real = os.fdatasync

    def __call__(self, handle: int) -> None:
        if self.errno:
            raise OSError(self.errno, os.strerror(self.errno))
        self.real(handle)


@pytest.fixture
def disk(monkeypatch: pytest.MonkeyPatch) -> Iterator[Disk]:
    switched = Disk()
    monkeypatch.setattr("os.fdatasync", switched)
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.RETRY_SECONDS", 0.02
    )
    yield switched
    switched.errno = 0


@pytest.mark.parametrize("number", [errno.EIO, errno.ENOSPC, errno.EDQUOT])
def test_a_durable_call_is_denied_and_its_record_says_it_never_went_on(
    tmp_path: Path, disk: Disk, number: int
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        disk.errno = number
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert ticket.durable is not None
        with pytest.raises(NotRecorded, match="disk"):
            await ticket.durable
        recorder.record_end(ticket, COMPLETED)  # the door may say more: it is not owed
        disk.errno = 0
        await until(lambda: not recorder.disk_error)

    recording(tmp_path, story)
    (decided,) = (r for r in records(tmp_path) if isinstance(r, DecisionRecord))
    (ended,) = (r for r in records(tmp_path) if isinstance(r, CallEndRecord))
    assert (ended.decided, ended.end.outcome) == (
        decided.sequence,
        CallOutcome.WITHHELD,
    )


def test_all_calls_are_denied_while_the_disk_refuses_and_go_on_when_it_heals(
    tmp_path: Path, disk: Disk
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        running = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        disk.errno = errno.EIO
        await until(lambda: bool(recorder.disk_error))
        for decision in (BUFFERED, DURABLE, DENIED):
            with pytest.raises(NotRecorded, match="disk"):
                recorder.record_decision(CALLER, CALL, decision, BODY)
        recorder.record_end(running, COMPLETED)
        await asyncio.sleep(0.1)
        assert recorder.disk_error  # it stays until the disk takes all that waits
        assert recorder.unrecorded == 3
        disk.errno = 0
        await until(lambda: not recorder.disk_error)
        again = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert again.durable is not None
        await again.durable
        recorder.record_end(again, COMPLETED)

    recording(tmp_path, story)
    found = records(tmp_path)
    assert [r.sequence for r in found] == list(range(1, len(found) + 1))
    assert sum(isinstance(r, DecisionRecord) for r in found) == 2
    assert sum(isinstance(r, CallEndRecord) for r in found) == 2
    assert b'"why":"unrecorded-disk","count":3' in b"".join(lines(tmp_path))


def test_a_file_whose_name_could_not_be_synced_is_not_written_to(
    tmp_path: Path, disk: Disk, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file is as durable as its name: after the power failed it may not be there."""

    tried = []

    def refuse(path: Path) -> None:
        tried.append(_newest(tmp_path))
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    async def story(recorder: GatewayRecorder) -> None:
        await until(lambda: len(lines(tmp_path)) == 1)
        disk.errno = errno.EIO  # has it begin another file
        await _denied(recorder)
        disk.errno = 0
        with monkeypatch.context() as patched:
            patched.setattr(
                "answerable.server.recording.spool_segments.sync_folder", refuse
            )
            await until(lambda: len(tried) > 2)
            assert recorder.disk_error
        await until(lambda: not recorder.disk_error)
        assert _newest(tmp_path) > max(tried)
        assert len(tried) == len(set(tried))

    recording(tmp_path, story)
    numbers = [record.sequence for record in records(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))


def test_a_disk_that_stays_full_is_not_filled_with_files_of_nothing(
    tmp_path: Path, disk: Disk
) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        journal = recorder.journal
        await until(lambda: len(lines(tmp_path)) == 1)
        disk.errno = errno.ENOSPC
        await _denied(recorder)
        await until(lambda: journal.failures > 4)
        assert _numbers(tmp_path)[0] == 1
        assert len(_numbers(tmp_path)) <= 2  # one may be tried just now
        disk.errno = 0
        await until(lambda: not recorder.disk_error)
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert ticket.durable is not None
        await ticket.durable

    recording(tmp_path, story)
    first, second = _numbers(tmp_path)
    assert second > first + 4
    batches = SpoolReader(tmp_path).read_batches(EventLimits())
    assert [problem for batch in batches for problem in batch.problems] == []
    numbers = [record.sequence for record in records(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))


async def _denied(recorder: GatewayRecorder) -> None:
    ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
    assert ticket.durable is not None
    with pytest.raises(NotRecorded, match="disk"):
        await ticket.durable


def _newest(spool: Path) -> int:
    return _numbers(spool)[-1]


def _numbers(spool: Path) -> list[int]:
    return sorted(int(path.stem) for path in spool.glob("*/*.jsonl"))


@pytest.mark.parametrize(("seconds", "size"), [(0.05, 1 << 30), (60.0, 2000)])
def test_a_disk_that_answers_nothing_stops_the_calls_and_they_go_on_when_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: float, size: int
) -> None:
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.STALL_SECONDS", seconds
    )
    monkeypatch.setattr(
        "answerable.server.recording.record_group_commit.MAX_WAITING", size
    )
    answers, real = threading.Event(), os.fdatasync

    def hang(handle: int) -> None:
        answers.wait(60)
        real(handle)

    async def story(recorder: GatewayRecorder) -> None:
        await until(lambda: len(lines(tmp_path)) == 1)
        monkeypatch.setattr("os.fdatasync", hang)
        try:
            with pytest.raises(NotRecorded, match="disk"):
                await _decide_for_ever(recorder)
            assert recorder.disk_error
        finally:
            answers.set()
        await until(lambda: not recorder.disk_error)
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)

    recording(tmp_path, story)
    numbers = [record.sequence for record in records(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))


async def _decide_for_ever(recorder: GatewayRecorder) -> None:
    for _ in range(1000):
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        await asyncio.sleep(0.01)


def test_a_recorder_that_ends_on_a_bad_disk_ends(tmp_path: Path, disk: Disk) -> None:
    async def story(recorder: GatewayRecorder) -> None:
        recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        disk.errno = errno.EIO

    recording(tmp_path, story)


def test_a_spool_that_cannot_be_written_is_refused_at_the_start(tmp_path: Path) -> None:
    (tmp_path / "spool").write_text("a file")

    async def story(recorder: GatewayRecorder) -> None:
        raise AssertionError(recorder)

    with pytest.raises(EnvironmentFailure):
        recording(tmp_path / "spool", story)


def test_a_writer_that_fails_itself_lets_nobody_wait(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("threading.excepthook", lambda _: None)

    async def story(recorder: GatewayRecorder) -> None:
        await until(lambda: len(lines(tmp_path)) == 1)
        monkeypatch.setattr(
            "answerable.server.recording.record_group_commit.encode_spool_lines", broken
        )
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert ticket.durable is not None
        with pytest.raises(NotRecorded):
            await ticket.durable
        with pytest.raises(NotRecorded):
            recorder.record_decision(CALLER, CALL, BUFFERED, BODY)

    recording(tmp_path, story)


# A file size limit makes a real file system refuse, in a process of its own.
LIMITED = """
import asyncio, resource, signal, sys
from pathlib import Path
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.record_ticket import NotRecorded
from tests.gateway.recording.recorder_fixture import BODY, CALL, CALLER, DURABLE

async def main():
    spool = Path(sys.argv[1])
    recorder = GatewayRecorder(spool, 0, asyncio.get_running_loop(), WorkerLimits())
    kept = 0
    hard = resource.getrlimit(resource.RLIMIT_FSIZE)[1]
    resource.setrlimit(resource.RLIMIT_FSIZE, (20_000, hard))
    try:
        while True:
            ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
            await ticket.durable
            print(ticket.id, flush=True)
            kept += 1
    except NotRecorded as refusal:
        print(refusal.why, kept > 5, recorder.disk_error)
    resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
    while recorder.disk_error:
        await asyncio.sleep(0.05)
    await recorder.record_decision(CALLER, CALL, DURABLE, BODY).durable
    recorder.close()

asyncio.run(main())
"""


def test_a_write_that_the_file_system_cuts_short_is_written_anew(
    tmp_path: Path, root: Path
) -> None:
    child = subprocess.run(
        [sys.executable, "-c", LIMITED, str(tmp_path)],
        capture_output=True,
        text=True,
        check=True,
        cwd=root,
    )
    *kept, said = child.stdout.splitlines()
    assert said == "disk True File too large"
    numbers = [record.sequence for record in records(tmp_path)]
    assert numbers == list(range(1, len(numbers) + 1))
    whole = b"".join(lines(tmp_path))
    assert all(key.encode() in whole for key in kept)
    assert whole.endswith(b"\n")


@pytest.mark.world
def test_a_full_file_system_denies_and_heals(tmp_path: Path) -> None:
    """Needs root: a file system of 256 KiB of its own."""
    place = tmp_path / "small"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "none", str(place)]
    if os.geteuid() or subprocess.run(mount, check=False).returncode:
        pytest.skip("mounting a small file system needs root")
    try:
        recording(place / "spool", _fill_and_heal(place))
        found = records(place / "spool")
        assert [r.sequence for r in found] == list(range(1, len(found) + 1))
    finally:
        subprocess.run(["umount", str(place)], check=True)


def _fill_and_heal(place: Path):
    ballast = place / "ballast"
    ballast.write_bytes(b"\0" * 150_000)

    async def story(recorder: GatewayRecorder) -> None:
        with pytest.raises(NotRecorded, match="disk"):
            await _forever(recorder)
        assert recorder.disk_error == os.strerror(errno.ENOSPC)
        ballast.unlink()
        await until(lambda: not recorder.disk_error)
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert ticket.durable is not None
        await ticket.durable

    return story


async def _forever(recorder: GatewayRecorder) -> None:
    for _ in range(10_000):
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        assert ticket.durable is not None
        await ticket.durable
