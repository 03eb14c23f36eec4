"""Exchanges that come in one round are served together, each for itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence

import pytest

from answerable.federate.errors import KeyUnknown
from answerable.flows.attempts import Shown
from answerable.flows.exchange import Outcomes
from answerable.model.claims import Confirmation
from answerable.model.exchange import GrantType, TokenRequest
from answerable.model.record import Exchanged
from answerable.sts.serve.gathering import MOST, Gathering
from tests.store.control.build import NOW

ONE = Shown(
    TokenRequest(GrantType.TOKEN_EXCHANGE, "", "", "", "", None, "", (), ""),  # type: ignore[arg-type]
    Confirmation(),
)


def outcome(id: str) -> Outcomes:
    return Outcomes(Exchanged(0, 0, id, "exchange"))


class Story:
    """Counts the groups, and answers as it is told."""

    def __init__(self) -> None:
        self.groups: list[int] = []
        self.times: list[float] = []
        self.fails: Exception | None = None
        self.answers: tuple[Outcomes | Exception, ...] = ()

    def exchange_all(
        self, shown: Sequence[Shown], now: float
    ) -> Sequence[Outcomes | Exception]:
        self.groups.append(len(shown))
        self.times.append(now)
        if self.fails is not None:
            raise self.fails
        return self.answers or [outcome(str(n)) for n in range(len(shown))]


def run(work: Callable[[Gathering, Story], Awaitable[None]]) -> Story:
    story = Story()

    async def main() -> None:
        await work(Gathering(story, asyncio.get_running_loop()), story)

    asyncio.run(main())
    return story


def test_what_comes_together_is_served_together_and_each_has_its_own_answer() -> None:
    async def work(gathering: Gathering, _: Story) -> None:
        asked = (gathering.exchange(ONE, NOW + n % 3) for n in range(5))
        told = await asyncio.gather(*asked)
        assert [each.record.id for each in told] == ["0", "1", "2", "3", "4"]
        await gathering.exchange(ONE, NOW)

    story = run(work)
    assert (story.groups, story.times) == ([5, 1], [NOW + 2, NOW])


def test_a_group_is_bounded() -> None:
    async def work(gathering: Gathering, _: Story) -> None:
        many = 2 * MOST + 3
        await asyncio.gather(*(gathering.exchange(ONE, NOW) for _ in range(many)))

    assert run(work).groups == [MOST, MOST, 3]


def test_each_is_told_what_became_of_its_own() -> None:
    given, unknown, other = outcome("given"), KeyUnknown("ci"), OSError("away")

    async def work(gathering: Gathering, story: Story) -> None:
        story.answers = (given, unknown, other)
        asked = [gathering.exchange(ONE, NOW) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert told == [given, unknown, other]

    run(work)


def test_where_the_whole_fails_all_are_told_so_and_the_next_are_served() -> None:
    async def work(gathering: Gathering, story: Story) -> None:
        story.fails = OSError("away")
        asked = [gathering.exchange(ONE, NOW) for _ in range(3)]
        told = await asyncio.gather(*asked, return_exceptions=True)
        assert told == [story.fails] * 3
        story.fails = None
        assert await gathering.exchange(ONE, NOW) == outcome("0")

    assert run(work).groups == [3, 1]


def test_one_that_gave_up_waiting_is_served_all_the_same() -> None:
    async def work(gathering: Gathering, _: Story) -> None:
        gone = asyncio.ensure_future(gathering.exchange(ONE, NOW))
        await asyncio.sleep(0)
        gone.cancel()
        assert await gathering.exchange(ONE, NOW) == outcome("1")
        with pytest.raises(asyncio.CancelledError):
            await gone

    assert run(work).groups == [2]
