"""Exchanges that come in one round are served together, each for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, cast

import pytest

from answerable.federation.token_errors import UnknownKey
from answerable.federation.token_exchange_decision import TokenGrantDecision
from answerable.model.spool_record import ExchangeRecord
from answerable.model.token_claims import Confirmation
from answerable.model.token_request import GrantType, TokenRequest
from answerable.server.recording.record_ticket import NotRecorded
from answerable.services.federation.exchange_audit_records import PresentedRequest
from answerable.sts.runtime.group_commit import MAX_GROUP, GroupCommit
from answerable.usecases.federation.token_exchange import ExchangeOutcome
from tests.store.token_state.sample_rows import NOW

ONE = PresentedRequest(
    TokenRequest(GrantType.TOKEN_EXCHANGE, "", "", "", "", None, "", (), ""),  # type: ignore[arg-type]
    Confirmation(),
)


GIVEN = cast(TokenGrantDecision, object())  # nobody looks into it here


def outcome(id: str, minting: TokenGrantDecision | None = GIVEN) -> ExchangeOutcome:
    return ExchangeOutcome(ExchangeRecord(0, 0, id, "exchange"), minting=minting)


class ScriptedExchanges:
    """Counts the groups, and answers as it is told."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.times: list[float] = []
        self.now = NOW
        self.fails: Exception | None = None
        self.answers: tuple[ExchangeOutcome | Exception, ...] = ()

    def exchange_all(
        self, shown: Sequence[PresentedRequest], now: float
    ) -> Sequence[ExchangeOutcome | Exception]:
        self.groups.append(len(shown))
        self.times.append(now)
        if self.fails is not None:
            raise self.fails
        return self.answers or [outcome(str(n)) for n in range(len(shown))]


class ScriptedRecorder:
    """Takes records: at once, or when it is told to."""

    def __init__(self) -> None:
        self.refuses = ""
        self.waits = False
        self.taken: list[asyncio.Future[None]] = []
        self.ids: list[str] = []

    def check_recordable(self) -> None:
        if self.refuses:
            raise NotRecorded(self.refuses)

    def queue_issued(
        self, record: ExchangeRecord, durable: "asyncio.Future[None]"
    ) -> str:
        self.check_recordable()
        self.ids.append(record.id)
        self.taken.append(durable)
        if not self.waits:
            self.sync()
        return record.id

    def sync(self, error: Exception | None = None) -> None:
        """Have all of it on disk, or none."""
        for each in self.taken:
            if each.done():
                continue
            if error is None:
                each.set_result(None)
            else:
                each.set_exception(error)
        self.taken = []


def run(
    work: Callable[[GroupCommit, ScriptedExchanges], Awaitable[None]],
    disk: ScriptedRecorder | None = None,
) -> ScriptedExchanges:
    story, disk = ScriptedExchanges(), disk or ScriptedRecorder()

    async def main() -> None:
        loop = asyncio.get_running_loop()
        await work(GroupCommit(story, disk, loop, lambda: story.now), story)

    asyncio.run(main())
    return story


async def rounds(count: int = 3) -> None:
    for _ in range(count):
        await asyncio.sleep(0)


def ask(
    gathering: GroupCommit, count: int = 1
) -> list["asyncio.Task[ExchangeOutcome]"]:
    asked = [gathering.exchange(ONE) for _ in range(count)]
    return [asyncio.ensure_future(each) for each in asked]


def test_what_comes_together_is_served_together_and_each_has_its_own_answer() -> None:
    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        story.now = NOW + 2
        asked = (gathering.exchange(ONE) for _ in range(5))
        told = await asyncio.gather(*asked)
        assert [each.record.id for each in told] == ["0", "1", "2", "3", "4"]
        story.now = NOW
        await gathering.exchange(ONE)

    story = run(work)
    assert (story.groups, story.times) == ([5, 1], [NOW + 2, NOW])


def test_a_group_is_bounded() -> None:
    async def work(gathering: GroupCommit, _: ScriptedExchanges) -> None:
        many = 2 * MAX_GROUP + 3
        await asyncio.gather(*(gathering.exchange(ONE) for _ in range(many)))

    assert run(work).groups == [MAX_GROUP, MAX_GROUP, 3]


def test_each_is_told_what_became_of_its_own() -> None:
    given, unknown, other = outcome("given"), UnknownKey("ci"), OSError("away")

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        story.answers = (given, unknown, other)
        asked = [gathering.exchange(ONE) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert told == [given, unknown, other]

    run(work)


def test_where_the_whole_fails_all_are_told_so_and_the_next_are_served() -> None:
    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        story.fails = OSError("away")
        asked = [gathering.exchange(ONE) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert told == [story.fails] * 3
        story.fails = None
        assert await gathering.exchange(ONE) == outcome("0")

    assert run(work).groups == [3, 1]


def test_one_that_gave_up_waiting_is_served_all_the_same() -> None:
    async def work(gathering: GroupCommit, _: ScriptedExchanges) -> None:
        gone = asyncio.ensure_future(gathering.exchange(ONE))
        await asyncio.sleep(0)
        gone.cancel()
        assert await gathering.exchange(ONE) == outcome("1")
        with pytest.raises(asyncio.CancelledError):
            await gone

    assert run(work).groups == [2]


def test_the_next_ones_gather_while_a_group_is_on_its_way_to_disk() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        first = ask(gathering)
        await rounds()
        later = []
        for _ in range(3):
            later += ask(gathering)
            await rounds()
        assert story.groups == [1]
        assert not first[0].done()
        disk.sync()
        await rounds()
        assert first[0].result() == outcome("0")
        assert story.groups == [1, 3]
        assert not any(each.done() for each in later)
        disk.sync()
        told = await asyncio.gather(*later)
        assert [each.record.id for each in told] == ["0", "1", "2"]

    assert run(work, disk).groups == [1, 3]


def test_a_whole_group_waits_for_no_other() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        asked = ask(gathering)
        await rounds()
        asked += ask(gathering, MAX_GROUP)
        await rounds()
        assert story.groups == [1, MAX_GROUP]
        asked += ask(gathering)
        await rounds()
        assert story.groups == [1, MAX_GROUP]  # two are under way
        disk.sync()
        await rounds()
        disk.sync()
        await asyncio.gather(*asked)

    assert run(work, disk).groups == [1, MAX_GROUP, 1]


def test_what_is_refused_waits_for_no_disk() -> None:
    disk = ScriptedRecorder()
    disk.waits = True
    refused = outcome("no", minting=None)

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        story.answers = (refused, outcome("yes"))
        no, yes = ask(gathering, 2)
        await rounds()
        assert no.result() == refused
        assert not yes.done()
        assert disk.ids == ["yes"]
        disk.sync()
        await yes

    run(work, disk)


def test_what_did_not_reach_the_disk_is_not_given_and_the_next_are_served() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, _: ScriptedExchanges) -> None:
        (lost,) = ask(gathering)
        await rounds()
        disk.sync(NotRecorded("disk"))
        with pytest.raises(NotRecorded):
            await lost
        disk.waits = False
        assert await gathering.exchange(ONE) == outcome("0")

    run(work, disk)


def test_what_cannot_be_recorded_is_not_begun() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        (first,) = ask(gathering)
        await rounds()
        waits = ask(gathering, 2)
        await rounds()
        disk.refuses = "disk"
        disk.sync(NotRecorded("disk"))
        told: list[Any] = await asyncio.gather(first, *waits, return_exceptions=True)
        assert [each.why for each in told] == ["disk"] * 3
        assert story.groups == [1]  # nothing of the two that waited is used up
        disk.refuses, disk.waits = "", False
        await gathering.exchange(ONE)

    assert run(work, disk).groups == [1, 1]


def test_where_the_last_of_a_group_gave_up_waiting_the_next_are_served() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, _: ScriptedExchanges) -> None:
        (gone,) = ask(gathering)
        await rounds()
        gone.cancel()
        await rounds()
        disk.waits = False
        assert await gathering.exchange(ONE) == outcome("0")

    assert run(work, disk).groups == [1, 1]


def test_who_waited_for_a_disk_is_judged_as_of_when_it_is_served() -> None:
    disk = ScriptedRecorder()
    disk.waits = True

    async def work(gathering: GroupCommit, story: ScriptedExchanges) -> None:
        asked = ask(gathering)
        await rounds()
        asked += ask(gathering)
        await rounds()
        story.now = NOW + 600
        disk.sync()
        await rounds()
        disk.sync()
        await asyncio.gather(*asked)

    assert run(work, disk).times == [NOW, NOW + 600]
