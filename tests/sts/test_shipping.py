"""Shipping in a process of its own: what became of it is told, and it can be stopped."""

import asyncio
import errno
import itertools
import os
from asyncio.subprocess import Process
from pathlib import Path

import pytest

from answerable.model.spool_record import ExchangeRecord
from answerable.model.worker_limits import WorkerLimits
from answerable.server import evidence_shipping
from answerable.server.evidence_shipping import (
    LOW_PRIORITY,
    ShippingResult,
    choose_shipping_niceness,
    ship_in_subprocess,
)
from answerable.server.store_access import create_store
from answerable.sts.recording.exchange_recorder import ExchangeRecorder


def recorded(spool: Path) -> None:
    """Leave one record in a spool."""

    async def main() -> None:
        recorder = ExchangeRecorder(spool, asyncio.get_running_loop(), WorkerLimits())
        recorder.record_refused(
            ExchangeRecord(0, 0, "", "exchange", error="invalid_grant")
        )
        recorder.close()

    asyncio.run(main())


def test_what_waits_is_stored_by_another_process(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    create_store(root)
    recorded(spool)
    told = asyncio.run(ship_in_subprocess(root, spool))
    assert (told.refused, told.problems) == ("", ())
    assert told.stored == 1
    assert asyncio.run(ship_in_subprocess(root, spool)) == ShippingResult()


def test_why_it_stays_where_it_is_is_told(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    root.mkdir()
    (root / "something").write_text("else")
    recorded(spool)
    assert str(root) in asyncio.run(ship_in_subprocess(root, spool)).refused


def test_one_that_is_stopped_ships_the_next_time(tmp_path: Path) -> None:
    root, spool = tmp_path / "store", tmp_path / "spool"
    create_store(root)
    recorded(spool)

    async def main() -> None:
        task = asyncio.create_task(ship_in_subprocess(root, spool))
        await asyncio.sleep(0.05)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert (await ship_in_subprocess(root, spool)).refused == ""

    asyncio.run(main())
    assert not list(spool.glob("*/*.jsonl"))


def test_shipping_gives_way_while_little_waits(tmp_path: Path) -> None:
    assert choose_shipping_niceness(tmp_path / "none", 1600) == LOW_PRIORITY
    (tmp_path / "one").mkdir()
    (tmp_path / "one" / "000001.jsonl").write_bytes(bytes(100))
    assert choose_shipping_niceness(tmp_path, 1600) == LOW_PRIORITY
    (tmp_path / "one" / "000002.jsonl").write_bytes(b"x")
    assert choose_shipping_niceness(tmp_path, 1600) == 0


@pytest.mark.parametrize("there", [True, False])
def test_it_gives_way_from_its_very_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, there: bool
) -> None:
    if not there:
        monkeypatch.setattr("shutil.which", lambda _: None)

    async def main() -> None:
        process = await evidence_shipping._start_shipping_process(
            tmp_path, tmp_path, LOW_PRIORITY
        )
        nice = os.getpriority(os.PRIO_PROCESS, process.pid)
        process.kill()
        await process.wait()
        assert nice == LOW_PRIORITY

    asyncio.run(main())


@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("asyncio.create_subprocess_exec", errno.EAGAIN),
        ("asyncio.create_subprocess_exec", errno.ENOMEM),
        ("answerable.server.evidence_shipping.choose_shipping_niceness", errno.EMFILE),
    ],
)
def test_what_cannot_be_started_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str, number: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(what, refuse)
    told = asyncio.run(ship_in_subprocess(tmp_path, tmp_path, max_spool_bytes=1))
    assert os.strerror(number) in told.refused


def instead(monkeypatch: pytest.MonkeyPatch, script: str) -> list[Process]:
    """Have a script run where shipping would."""
    begun: list[Process] = []

    async def begin(*_: object) -> Process:
        process = await asyncio.create_subprocess_exec(
            *("sh", "-c", script), stdout=asyncio.subprocess.PIPE
        )
        begun.append(process)
        return process

    monkeypatch.setattr(evidence_shipping, "_start_shipping_process", begin)
    monkeypatch.setattr(evidence_shipping, "PROGRESS_INTERVAL", 0.02)
    return begun


@pytest.mark.parametrize(
    ("most", "patience"), [(1, "STALL_TIMEOUT"), (0, "FINAL_TIMEOUT")]
)
def test_one_that_does_nothing_any_more_is_killed_and_that_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int, patience: str
) -> None:
    begun = instead(monkeypatch, "kill -STOP $$")
    monkeypatch.setattr(evidence_shipping, patience, 0.2)

    async def main() -> None:
        async with asyncio.timeout(60):
            told = await ship_in_subprocess(tmp_path, tmp_path, max_spool_bytes=most)
        assert told.refused.endswith("made no progress for 0.2 s, so it was killed")
        assert begun[0].returncode == -9

    asyncio.run(main())


def test_one_that_works_has_all_the_time_it_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    instead(monkeypatch, "sleep 0.4; echo '{\"stored\": 3}'")
    monkeypatch.setattr(evidence_shipping, "FINAL_TIMEOUT", 0.1)
    ticks = itertools.count(1)
    monkeypatch.setattr(evidence_shipping, "_read_cpu_ticks", lambda _: next(ticks))
    assert asyncio.run(ship_in_subprocess(tmp_path, tmp_path)) == ShippingResult(
        stored=3
    )


def test_what_a_process_works_is_seen() -> None:
    def own() -> float:
        times = os.times()
        return (times.user + times.system) * os.sysconf("SC_CLK_TCK")

    before = own()
    while own() < before + 2:
        pass
    assert before - 2 <= evidence_shipping._read_cpu_ticks(os.getpid()) <= own() + 2
    assert evidence_shipping._read_cpu_ticks(0) == 0
