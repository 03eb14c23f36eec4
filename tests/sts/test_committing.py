"""Exchanges that come in one round are committed in one transaction, each for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path

import pytest

from answerable.model.errors import AnswerableError
from answerable.store.control.contract import (
    DONE,
    Committed,
    ControlUnavailable,
    Exchange,
    IdTaken,
    Outcome,
)
from answerable.store.control.sqlite import SqliteControl
from answerable.sts.serve.committing import MOST, Committing
from tests.store.control.build import NOW, use


class Record:
    """Counts the groups, and answers as it is told."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.fails: AnswerableError | None = None
        self.answers: tuple[Committed | AnswerableError, ...] = ()

    def commit_all(
        self, exchanges: Sequence[Exchange], now: float
    ) -> tuple[Committed | AnswerableError, ...]:
        self.groups.append(len(exchanges))
        if self.fails is not None:
            raise self.fails
        return self.answers or (DONE,) * len(exchanges)


def run(work: Callable[[Committing, Record], Awaitable[None]]) -> Record:
    record = Record()

    async def main() -> None:
        await work(Committing(record, asyncio.get_running_loop()), record)

    asyncio.run(main())
    return record


def test_what_comes_together_is_committed_together() -> None:
    async def work(committing: Committing, _: Record) -> None:
        one = Exchange()
        await asyncio.gather(*(committing.commit(one, NOW) for _ in range(5)))
        await committing.commit(one, NOW)

    assert run(work).groups == [5, 1]


def test_a_group_is_bounded() -> None:
    async def work(committing: Committing, _: Record) -> None:
        many = 2 * MOST + 3
        one = Exchange()
        await asyncio.gather(*(committing.commit(one, NOW) for _ in range(many)))

    assert run(work).groups == [MOST, MOST, 3]


def test_each_is_told_what_became_of_its_own() -> None:
    seen, taken = Committed(Outcome.SEEN, use()), IdTaken("taken")

    async def work(committing: Committing, record: Record) -> None:
        record.answers = (DONE, seen, taken)
        asked = [committing.commit(Exchange(), NOW) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert told == [DONE, seen, taken]

    run(work)


def test_where_nobody_can_tell_all_are_told_so_and_the_next_are_served() -> None:
    async def work(committing: Committing, record: Record) -> None:
        record.fails = ControlUnavailable("away")
        asked = [committing.commit(Exchange(), NOW) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert all(isinstance(each, ControlUnavailable) for each in told)
        record.fails = None
        assert await committing.commit(Exchange(), NOW) == DONE

    assert run(work).groups == [3, 1]


def test_one_that_gave_up_waiting_is_committed_all_the_same() -> None:
    async def work(committing: Committing, _: Record) -> None:
        gone = asyncio.ensure_future(committing.commit(Exchange(), NOW))
        await asyncio.sleep(0)
        gone.cancel()
        assert await committing.commit(Exchange(), NOW) == DONE
        with pytest.raises(asyncio.CancelledError):
            await gone

    assert run(work).groups == [2]


def test_one_thing_shown_at_once_is_good_once(tmp_path: Path) -> None:
    async def main() -> None:
        control = SqliteControl(tmp_path, NOW)
        committing = Committing(control, asyncio.get_running_loop())
        shown = Exchange((use("shown"),))
        told = await asyncio.gather(*(committing.commit(shown, NOW) for _ in range(99)))
        assert [each.outcome for each in told].count(Outcome.DONE) == 1
        assert [each.outcome for each in told].count(Outcome.SEEN) == 98
        control.close()

    asyncio.run(main())
