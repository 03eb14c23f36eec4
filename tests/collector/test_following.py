"""A running collector follows a log that grows, through rotation and kill -9."""

import json
import time
from pathlib import Path

from answerable.store.store import EvidenceStore
from answerable.usecases.operations.doctor import check_installation
from tests.collector.log_files import append_lines
from tests.collector.running_collector import collecting, wait_until


def count_events(folder: Path) -> int:
    with EvidenceStore.open(folder / "store", now=1) as store:
        ((count,),) = store.run_query("SELECT count(*) FROM events")
    assert isinstance(count, int)
    return count


def test_a_followed_log_is_stored_exactly_once(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append_lines(log, 0, 100)
    source = {"source": f"cloudtrail:{log}", "every": 1, "jitter": 0}
    with collecting(tmp_path, {"sources": [source]}) as collector:
        collector.hear("source.collected")
        append_lines(log, 100, 50)
        log.rename(tmp_path / "audit.jsonl.1")
        append_lines(log, 150, 50)
        wait_until(collector.children)  # killed while a run is in progress
        collector.process.kill()
    written = 200
    with collecting(tmp_path, {"sources": [source]}) as collector:
        wait_until(lambda: count_events(tmp_path) == written)
        # A scan that finds the log unchanged starts no process.
        collector.hear("source.collected", seconds=0.0, stored=0)
    assert count_events(tmp_path) == written


def test_a_silent_log_is_reported_everywhere(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append_lines(log, 0, 3)
    source = {
        "source": f"cloudtrail:{log}",
        "every": 1,
        "jitter": 0,
        "silent_after": 2,
    }
    with collecting(tmp_path, {"sources": [source]}) as collector:
        collector.hear("source.collected", stored=3)
        wait_until(lambda: collector.metric("silent", "cloudtrail"))
        status, page = collector.get("/readyz")
        assert status == 503
        assert "has no new event for more than 2 s" in page
        state = collector.source("cloudtrail")
        assert state["newest_event_at"] == "2026-11-28T10:00:00Z"
        newest = collector.metric("newest_event_timestamp_seconds", "cloudtrail")
        assert newest == 1795860000
        document = check_installation(tmp_path / "store", now=time.time_ns())
    (row,) = (i for i in document.items if str(i["check"]).startswith("collector "))
    assert not row["ok"]
    assert "newest event" in str(row["detail"])
    assert "silent: no new event although one was expected for" in str(row["detail"])


def test_follow_is_a_schedule_of_its_own(tmp_path: Path) -> None:
    log = tmp_path / "audit.jsonl"
    append_lines(log, 0, 3)
    source = {"source": f"cloudtrail:{log}", "follow": True}
    with collecting(tmp_path, {"sources": [source]}) as collector:
        collector.hear("source.collected", stored=3)
        state = collector.source("cloudtrail")
        assert state["next_at"] > state["succeeded_at"]
        append_lines(log, 3, 2)
        collector.hear("source.collected", stored=2)
    states = json.loads(
        (tmp_path / "store" / "collector" / "sources.json").read_bytes()
    )
    assert states[0]["failures"] == 0
