"""Killed under load: whatever was forwarded of the durable class has its record."""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from answerable.evidence.spool_format import parse_spool_line
from answerable.model.spool_record import DecisionRecord
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ship_spool import ship_spool

# A worker with a forwarder that notes each durable call the moment it goes on.
WORKER = """
import asyncio, os, sys
from pathlib import Path
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.model.worker_limits import WorkerLimits
from tests.gateway.recording.recorder_fixture import (
    BODY, BUFFERED, CALL, CALLER, COMPLETED, DURABLE,
)

async def client(recorder, forwarded):
    while True:
        ticket = recorder.record_decision(CALLER, CALL, DURABLE, BODY)
        await ticket.durable
        os.write(forwarded, ticket.id.encode() + b"\\n")
        await asyncio.sleep(0.001)
        recorder.record_end(ticket, COMPLETED)

async def reader(recorder):
    while True:
        ticket = recorder.record_decision(CALLER, CALL, BUFFERED, BODY)
        recorder.record_end(ticket, COMPLETED)
        await asyncio.sleep(0.0005)

async def main():
    loop, spool = asyncio.get_running_loop(), Path(sys.argv[1])
    recorder = GatewayRecorder(spool, 0, loop, WorkerLimits())
    forwarded = os.open(sys.argv[2], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    await asyncio.gather(*(client(recorder, forwarded) for _ in range(8)),
                         reader(recorder))

asyncio.run(main())
"""
# At which moments it is killed, in seconds after the first call went on.
MOMENTS = (0.0, 0.013, 0.031, 0.067, 0.11, 0.23)


def killed(spool: Path, log: Path, root: Path, moment: float) -> set[str]:
    """Run a worker, kill it, and give the ids of what it forwarded."""
    log.unlink(missing_ok=True)
    worker = subprocess.Popen(
        [sys.executable, "-c", WORKER, str(spool), str(log)], cwd=root
    )
    try:
        for _ in range(3000):
            if log.exists() and log.stat().st_size:
                break
            time.sleep(0.01)
        time.sleep(moment)
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
    # A whole line was written at once; a cut one was never said to be forwarded.
    return {line.decode() for line in log.read_bytes().split(b"\n") if len(line) == 32}


@pytest.mark.parametrize("moment", MOMENTS)
def test_no_durable_call_was_forwarded_without_its_record(
    tmp_path: Path, root: Path, moment: float
) -> None:
    spool = tmp_path / "spool"
    forwarded = killed(spool, tmp_path / "forwarded", root, moment)
    assert forwarded
    recorded = {
        record.id
        for path in spool.glob("*/*.jsonl")
        for line in path.read_bytes().splitlines(keepends=True)
        if line.endswith(b"\n")
        and isinstance(record := parse_spool_line(line)[0], DecisionRecord)
    }
    assert forwarded <= recorded


def test_after_several_kills_the_store_holds_each_forwarded_call_once(
    tmp_path: Path, root: Path
) -> None:
    spool, forwarded = tmp_path / "spool", set()
    now = time.time_ns()
    with EvidenceStore.open(tmp_path / "store", now=now) as store:
        for moment in MOMENTS[1:4]:
            forwarded |= killed(spool, tmp_path / "forwarded", root, moment)
            shipped = ship_spool(store, spool, now=now)
            assert shipped.conflict == shipped.quarantined == 0
            assert all("incomplete record" in each.what for each in shipped.problems)
        rows = store.run_query("SELECT decision_id, outcome FROM events")
        ids = [str(key) for key, _ in rows]
        assert len(ids) == len(set(ids))
        assert forwarded <= set(ids)
        assert {outcome for _, outcome in rows} <= {"success", "unknown"}
    assert not list(spool.glob("*/*.jsonl"))
