"""Who listens hears decisions as they are made: each once, and only what they may see."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path

import pytest
from msgspec import structs

from answerable.connectors.gateway.spool_tail import SpoolTail
from answerable.model.ids import AgentId
from answerable.model.spool_record import SpoolRecord
from answerable.web import decision_stream
from answerable.web.decision_stream import (
    BUFFER_SIZE,
    MAX_PER_POLL,
    DecisionStream,
    stream_decisions,
)
from answerable.web.routing import RouteRequest, StreamEvent
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebRole
from tests.connectors.gateway.spool_files import (
    ACT,
    ALLOW,
    CALLER,
    DENY,
    NAME,
    decided,
    ended,
    opened,
    spelled,
)

MINE, THEIRS = AgentId("agent:declared/mine"), AgentId("agent:declared/theirs")
OWNER = Visitor(None, frozenset({WebRole.OWNER}), frozenset({MINE}))
INVESTIGATOR = Visitor(None, frozenset({WebRole.INVESTIGATOR}))
SOON = 60.0  # seconds


class SpoolWriter:
    """Writes a spool a record at a time, as a gateway does."""

    def __init__(self, spool: Path) -> None:
        self._file = spool / NAME / "000001.jsonl"
        self._file.parent.mkdir(parents=True)
        self._records: list[SpoolRecord] = [opened()]
        self._written = 0
        self.write()

    def write(self, *records: SpoolRecord) -> None:
        self._records += records
        data = spelled(self._records)
        with self._file.open("ab") as file:
            file.write(data[self._written :])
        self._written = len(data)

    @property
    def next(self) -> int:
        return len(self._records) + 1

    def deny(self, agent: AgentId = MINE, name: str = "read_file") -> str:
        caller, act = replace(CALLER, agent=agent), structs.replace(ACT, name=name)
        record = decided(self.next, DENY, act, caller)
        self.write(record)
        return record.id


@pytest.fixture(autouse=True)
def _often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(decision_stream, "POLL_INTERVAL", 0.01)


@pytest.fixture
def recorder(tmp_path: Path) -> SpoolWriter:
    return SpoolWriter(tmp_path / "spool")


@pytest.fixture
def desk(tmp_path: Path) -> StoreCache:
    return StoreCache(tmp_path / "store", None, (tmp_path / "spool", tmp_path / "none"))


async def heard(
    events: AsyncIterator[StreamEvent], most: int = 1
) -> list[tuple[str, object]]:
    found = []
    async with asyncio.timeout(SOON):
        for _ in range(most):
            happened = await anext(events)
            data = happened.data
            found.append((happened.event, data["id"] if data else ""))  # type: ignore[index]  # of a test
    return found


async def begun(events: AsyncIterator[StreamEvent]) -> "asyncio.Task[StreamEvent]":
    """Let somebody begin to listen."""
    before = count_waiting()
    task = asyncio.ensure_future(anext(events))  # type: ignore[arg-type]  # one
    async with asyncio.timeout(SOON):
        while count_waiting() == before and not task.done():  # noqa: ASYNC110
            await asyncio.sleep(0.01)
    return task


def count_waiting() -> int:
    """Count the listeners that wait for the next decision."""
    streams = decision_stream._STREAMS_BY_CACHE.values()
    return sum(len(each._changed._waiters) for each in streams)  # type: ignore[attr-defined]


def test_a_decision_is_heard_once_by_who_may_see_it(
    recorder: SpoolWriter, desk: StoreCache
) -> None:
    recorder.deny()  # before anybody listened

    async def story() -> None:
        own, every = (
            stream_decisions(desk, v, RouteRequest()) for v in (OWNER, INVESTIGATOR)
        )
        first, second = await begun(own), await begun(every)
        theirs, mine = recorder.deny(THEIRS), recorder.deny(MINE)
        assert (await first).data["id"] == mine  # type: ignore[index]  # of a test
        assert (await second).data["id"] == theirs  # type: ignore[index]  # of a test
        assert await heard(every) == [("decision", mine)]
        third = await begun(own)
        assert not third.done()
        third.cancel()

    asyncio.run(story())


def test_a_call_is_heard_once_it_has_ended(
    recorder: SpoolWriter, desk: StoreCache
) -> None:
    async def story() -> None:
        events = stream_decisions(desk, INVESTIGATOR, RouteRequest())
        waiting = await begun(events)
        call = decided(recorder.next, ALLOW)
        recorder.write(call)
        await asyncio.sleep(0.1)
        assert not waiting.done()
        recorder.write(ended(recorder.next, call.sequence))
        assert (await waiting).data["id"] == call.id  # type: ignore[index]  # of a test

    asyncio.run(story())


def test_what_is_filtered_is_filtered_here_too(
    recorder: SpoolWriter, desk: StoreCache
) -> None:
    async def story() -> None:
        events = stream_decisions(
            desk, INVESTIGATOR, RouteRequest({"agent": MINE, "effect": "deny"})
        )
        waiting = await begun(events)
        recorder.deny(THEIRS)
        mine = recorder.deny(MINE)
        assert (await waiting).data["id"] == mine  # type: ignore[index]  # of a test

    asyncio.run(story())


def test_a_page_goes_on_where_it_was(recorder: SpoolWriter, desk: StoreCache) -> None:
    async def story() -> None:
        events = stream_decisions(desk, OWNER, RouteRequest())
        waiting = await begun(events)
        recorder.deny()
        first = await waiting
        rest = [recorder.deny(MINE, f"tool-{n}") for n in range(3)]
        again = stream_decisions(desk, OWNER, RouteRequest(last_event_id=first.id))
        assert await heard(again, 3) == [("decision", each) for each in rest]
        for place in ("another.1", f"{first.id}9", "x", first.id + "x", "." * 99):
            later = stream_decisions(desk, OWNER, RouteRequest(last_event_id=place))
            assert await heard(later) == [("gap", "")]
            assert (await begun(later)).done() is False

    asyncio.run(story())


def test_what_is_too_much_at_once_is_said(
    recorder: SpoolWriter, desk: StoreCache
) -> None:
    async def story() -> None:
        events = stream_decisions(desk, OWNER, RouteRequest())
        waiting = await begun(events)
        numbers = range(recorder.next, recorder.next + MAX_PER_POLL + 5)
        caller = replace(CALLER, agent=MINE)
        recorder.write(*(decided(n, DENY, ACT, caller) for n in numbers))
        await waiting
        told = await heard(events, MAX_PER_POLL)
        assert told[-1] == ("gap", "")

    asyncio.run(story())


def test_no_more_is_kept_than_fits(recorder: SpoolWriter, tmp_path: Path) -> None:
    recorder.deny()
    (event,) = SpoolTail(tmp_path / "spool").read_new_decisions()
    kept = DecisionStream(())
    kept._buffer_decisions([event] * (BUFFER_SIZE + 10))
    name = kept._stream_id
    assert len(kept._get_decisions_after(0)) == BUFFER_SIZE
    assert kept._parse_event_id(f"{name}.9") is None
    assert kept._parse_event_id(f"{name}.10") == 10
    assert [each.number for each in kept._get_decisions_after(BUFFER_SIZE + 8)] == [
        BUFFER_SIZE + 9,
        BUFFER_SIZE + 10,
    ]


def test_nobody_reads_where_nobody_listens(
    recorder: SpoolWriter, desk: StoreCache
) -> None:
    async def story() -> None:
        events = stream_decisions(desk, OWNER, RouteRequest())
        waiting = await begun(events)
        kept = decision_stream._STREAMS_BY_CACHE[desk]
        waiting.cancel()
        await asyncio.gather(waiting, return_exceptions=True)
        assert kept._reading is not None
        await asyncio.wait({kept._reading}, timeout=60)
        assert kept._reading.done()

    asyncio.run(story())


def test_a_line_that_is_half_written_waits_and_a_folder_that_is_gone_is_forgotten(
    tmp_path: Path,
) -> None:
    spool = tmp_path / "spool"
    tail = SpoolTail(spool)
    assert tail.read_new_decisions() == []
    recorder = SpoolWriter(spool)
    file = spool / NAME / "000001.jsonl"
    decision = recorder.deny()
    whole = file.read_bytes()
    file.write_bytes(whole[:-5])
    assert tail.read_new_decisions() == []
    file.write_bytes(whole[:-5] + bytes(100))
    assert tail.read_new_decisions() == []
    file.write_bytes(whole)
    assert [each.decision_id for each in tail.read_new_decisions()] == [decision]
    assert tail.read_new_decisions() == []
    file.unlink()
    file.parent.rmdir()
    assert tail.read_new_decisions() == []


def test_lines_that_are_none_are_passed_over(tmp_path: Path) -> None:
    recorder = SpoolWriter(tmp_path / "spool")
    file = tmp_path / "spool" / NAME / "000001.jsonl"
    with file.open("ab") as opened_file:
        opened_file.write(b"not a record\n\xff\xfe\n{}\n")
    tail = SpoolTail(tmp_path / "spool")
    assert tail.read_new_decisions() == []
    (tmp_path / "spool" / NAME / "notes.jsonl").write_bytes(b"foreign\n")
    decision = recorder.deny()
    assert [each.decision_id for each in tail.read_new_decisions()] == [decision]


def test_a_row_marks_a_killed_agent(
    recorder: SpoolWriter, tmp_path: Path, desk: StoreCache
) -> None:
    recorder.deny()
    recorder.deny(THEIRS)
    mine, theirs = SpoolTail(tmp_path / "spool").read_new_decisions()
    killed = frozenset({str(MINE)})
    assert decision_stream.build_decision_row(mine, killed)["killed"]
    assert not decision_stream.build_decision_row(theirs, killed)["killed"]
