"""What a gateway spooled reaches the store once, and stays in the spool until then."""

import errno
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from answerable.model.decision import TargetKind
from answerable.model.errors import EnvironmentFailure
from answerable.model.spool_record import CallSummary
from answerable.server.mcp.call import MAX_NAME, MAX_WATCHED
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import durable_files
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.evidence.ship_spool import ship_spool
from answerable.usecases.lineage.trace import trace_events
from tests.connectors.gateway.spool_files import (
    DENY,
    NAME,
    closed,
    decided,
    ended,
    opened,
    recordings,
    spelled,
    write,
)
from tests.connectors.gateway.test_spool import living

NOW = 1_794_100_000_000_000_000


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only matters when the power fails."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened_store:
        yield opened_store
    durable_files.crash_hook = None


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def stored(store: EvidenceStore) -> list[tuple[object, ...]]:
    query = "SELECT sequence, outcome FROM events ORDER BY sequence"
    return store.run_query(query)


def files(spool: Path) -> list[str]:
    return sorted(str(p.relative_to(spool)) for p in spool.rglob("*") if p.is_file())


STORY = [opened(), decided(2), decided(3, DENY), ended(4, 2), closed(5)]


def test_what_is_sealed_leaves_the_spool(store: EvidenceStore, spool: Path) -> None:
    write(spool, spelled(STORY), cuts=[2])
    shipped = ship_spool(store, spool, now=NOW)
    assert (shipped.stored, shipped.duplicate, shipped.problems) == (2, 0, ())
    assert stored(store) == [(2, "success"), (3, "denied")]
    assert list(spool.iterdir()) == []


def test_of_a_living_recorder_only_what_is_whole_and_past_goes(
    store: EvidenceStore, spool: Path
) -> None:
    folder = write(spool, spelled(STORY[:4]), cuts=[1, 2, 3])
    with living(folder):
        assert ship_spool(store, spool, now=NOW).stored == 2
        assert files(spool) == [f"{NAME}/000004.jsonl", f"{NAME}/shipped.json"]
        assert ship_spool(store, spool, now=NOW).stored == 0
    assert ship_spool(store, spool, now=NOW).stored == 0
    assert files(spool) == []


def test_one_long_call_holds_no_file_back(store: EvidenceStore, spool: Path) -> None:
    """Its decision is carried along, and joined with an end many files later."""
    calls = [decided(n, DENY) for n in range(3, 30)]
    story = [opened(), decided(2), *calls]
    folder = write(spool, spelled(story), cuts=range(1, 29))
    with living(folder):
        assert ship_spool(store, spool, now=NOW).stored == 27
        assert files(spool) == [f"{NAME}/000029.jsonl", f"{NAME}/shipped.json"]
        last = spelled([*story, ended(30, 2)]).splitlines(keepends=True)[-1]
        (folder / "000030.jsonl").write_bytes(last)
        assert ship_spool(store, spool, now=NOW).stored == 1
    assert stored(store)[0] == (2, "success")


def test_a_call_whose_gateway_crashed_before_its_end_is_unknown(
    store: EvidenceStore, spool: Path
) -> None:
    folder = write(spool, spelled([opened(), decided(2)]))
    with living(folder):
        assert ship_spool(store, spool, now=NOW).stored == 0
    assert ship_spool(store, spool, now=NOW).stored == 1
    assert stored(store) == [(2, "unknown")]


STEPS = ("journal-write", "journal-acknowledged", "seal-begin", "log-begin")
STEPS += ("log-checkpoint", "seal-committed", "seal-removed")


@pytest.mark.parametrize("step", STEPS)
def test_a_store_that_fails_at_a_step_keeps_the_spool_and_doubles_nothing(
    tmp_path: Path, spool: Path, step: str
) -> None:
    write(spool, spelled(STORY), cuts=[2])
    before = files(spool)

    def fail(reached: str) -> None:
        if reached == step:
            raise EnvironmentFailure("the disk is away")

    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        durable_files.crash_hook = fail
        with pytest.raises(EnvironmentFailure):
            ship_spool(store, spool, now=NOW)
        durable_files.crash_hook = None
        assert files(spool) == before
    with EvidenceStore.open(tmp_path / "store", now=NOW) as store:
        ship_spool(store, spool, now=NOW)
        assert stored(store) == [(2, "success"), (3, "denied")]
        assert files(spool) == []


@pytest.mark.parametrize("step", ["save", "delete"])
def test_a_crash_while_the_spool_is_cleared_repeats_harmlessly(
    store: EvidenceStore, spool: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    folder = write(spool, spelled(STORY[:3]), cuts=[1, 2])
    place = "answerable.connectors.gateway.recorder_folder"
    place += ".RecorderFolder._save_progress" if step == "save" else "._delete_files"

    def crash(*_: object) -> None:
        raise KeyboardInterrupt

    with living(folder):
        with monkeypatch.context() as patched:
            patched.setattr(place, crash)
            with pytest.raises(KeyboardInterrupt):
                ship_spool(store, spool, now=NOW)
        whole = spelled(STORY).splitlines(keepends=True)
        (folder / "000004.jsonl").write_bytes(b"".join(whole[3:]))
        ship_spool(store, spool, now=NOW)
    assert stored(store) == [(2, "success"), (3, "denied")]


@pytest.mark.parametrize("removed", range(4))
def test_a_crash_while_an_ended_recorder_is_removed_repeats_harmlessly(
    store: EvidenceStore, spool: Path, monkeypatch: pytest.MonkeyPatch, removed: int
) -> None:
    write(spool, spelled(STORY), cuts=[1, 2, 3])
    left = iter(range(removed))
    unlink = Path.unlink

    def crash(path: Path, **how: bool) -> None:
        if path.suffix == ".jsonl" and next(left, None) is None:
            raise KeyboardInterrupt
        unlink(path, **how)

    with monkeypatch.context() as patched:
        patched.setattr(Path, "unlink", crash)
        with pytest.raises(KeyboardInterrupt):
            ship_spool(store, spool, now=NOW)
    again = ship_spool(store, spool, now=NOW)
    assert (again.conflict, again.quarantined, again.problems) == (0, 0, ())
    assert stored(store) == [(2, "success"), (3, "denied")]
    assert list(spool.iterdir()) == []


def test_a_disk_that_is_full_is_a_refusal_and_the_spool_is_shipped_later(
    store: EvidenceStore, spool: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write(spool, spelled(STORY), cuts=[2])
    real = os.open

    def full(path: Any, *how: int, **more: Any) -> int:
        if str(path).endswith("shipped.json.new"):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return real(path, *how, **more)

    with monkeypatch.context() as patched, living(folder):
        patched.setattr("os.open", full)
        with pytest.raises(EnvironmentFailure, match="No space left"):
            ship_spool(store, spool, now=NOW)
    assert ship_spool(store, spool, now=NOW).duplicate == 2
    assert files(spool) == []


def test_the_longest_record_there_can_be_holds_no_other_back(
    store: EvidenceStore, spool: Path
) -> None:
    """A listen stream names as much as a message has room for, in any letters."""
    names = tuple(
        f"resource:{n:03}" + "\U0001f600" * (MAX_NAME - 3) for n in range(256)
    )
    act = CallSummary(
        "2026-07-28", "subscriptions/listen", "files", TargetKind.STREAM, watched=names
    )
    assert len(names) == MAX_WATCHED
    story = [opened(), decided(2, DENY, act), decided(3, DENY), closed(4)]
    write(spool, spelled(story))
    shipped = ship_spool(store, spool, now=NOW)
    assert (shipped.stored, shipped.quarantined, shipped.problems) == (2, 0, ())


@settings(max_examples=15)
@given(recordings(), st.integers(0, 12), st.integers(0, 12))
def test_however_often_and_from_wherever_it_is_shipped_the_store_holds_the_same(
    tmp_path_factory: pytest.TempPathFactory, story, first, second
) -> None:
    place = tmp_path_factory.mktemp("ship")
    whole = spelled(story).splitlines(keepends=True)
    with EvidenceStore.open(place / "once", now=NOW) as store:
        write(place / "a", b"".join(whole))
        ship_spool(store, place / "a", now=NOW)
        expected = raw(store)
    with EvidenceStore.open(place / "often", now=NOW) as store:
        folder = write(place / "b", b"")
        with living(folder):
            for upto in sorted((first, second)):
                (folder / "000001.jsonl").write_bytes(b"".join(whole[:upto]))
                ship_spool(store, place / "b", now=NOW)
        (folder / "000001.jsonl").write_bytes(b"".join(whole))
        ingest_logs(store, [f"gateway:{place / 'b'}"], now=NOW)  # beside the shipping
        ship_spool(store, place / "b", now=NOW)
        assert raw(store) == expected
        assert store.list_objects("conflict") == ()


def raw(store: EvidenceStore) -> list[tuple[object, ...]]:
    query = "SELECT event_id, raw_sha256, outcome, facts FROM events ORDER BY event_id"
    return store.run_query(query)


def test_what_was_missing_is_kept_in_the_store(
    store: EvidenceStore, spool: Path
) -> None:
    parts = spelled(STORY).splitlines(keepends=True)
    write(spool, b"".join(parts[:2] + parts[3:]))
    shipped = ship_spool(store, spool, now=NOW)
    line = f"gateway {NAME}: record 3 missing"
    assert [p.what for p in shipped.problems] == [line]
    (kept,) = store.list_objects("spool-problems")
    assert line.encode() in store.get_object(kept.digest)


def test_only_one_ships_at_a_time(store: EvidenceStore, spool: Path) -> None:
    write(spool, spelled(STORY))
    with living(spool), pytest.raises(EnvironmentFailure, match="being shipped"):
        ship_spool(store, spool, now=NOW)


def test_ingest_reads_a_spool_and_leaves_it(store: EvidenceStore, spool: Path) -> None:
    parts = spelled(STORY).splitlines(keepends=True)
    write(spool, b"".join(parts[:2] + parts[3:]))
    before = files(spool)
    document = ingest_logs(store, [f"gateway:{spool}"], now=NOW)
    assert files(spool) == before
    assert document.items[0]["stored"] == 1
    assert document.coverage["partial"]
    (source,) = document.coverage["sources"]
    assert source["problems"] == [
        f"invalid: {spool / NAME}: gateway {NAME}: record 3 missing"
    ]


def test_a_trace_of_a_tool_or_an_agent_finds_the_call_with_every_hop(
    store: EvidenceStore, spool: Path
) -> None:
    write(spool, spelled(STORY))
    ship_spool(store, spool, now=NOW)
    for question in (
        TraceQuery(tool="tool:mcp/files/read_file"),
        TraceQuery(agent="invoices"),
        TraceQuery(person="ana@corp.example", action="mcp:tools/call"),
    ):
        items = trace_events(store, question, now=NOW).items
        assert [item["outcome"] for item in items] == ["success", "denied"]
        hops = items[0]["hops"]
        assert {name: hop["status"] for name, hop in hops.items()} == {
            "person": "observed",
            "agent": "observed",
            "tool": "observed",
            "identity": "missing",
            "action": "observed",
            "resource": "observed",
        }
