"""Exchanges that come together are served together: one commit, and one sync of evidence.

A transaction writes whole pages, and its neighbours the same ones; a sync costs the same
for one record and for many: of a few exchanges at once, each costs half. While a group
is on its way to disk, the next one gathers. Its own sync could not begin sooner, so
nobody waits for more to come, and who comes alone is served at once.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

from answerable.flows.attempts import Shown
from answerable.flows.exchange import Outcomes
from answerable.model.record import Exchanged
from answerable.serving.recording.ticket import NotRecorded

# Exchanges at once: whoever is first waits for the last of them, and more than these
# share little. So many do not wait for the group before them.
MOST = 16


class Serves(Protocol):
    """The story, as far as it takes several requests at once."""

    def exchange_all(
        self, shown: Sequence[Shown], now: float
    ) -> Sequence[Outcomes | Exception]:
        """Serve each of them; give what would be raised for one, where it would."""


class Records(Protocol):
    """Whoever keeps the evidence of what is given."""

    def check(self) -> None:
        """See that something can be recorded now.

        Raises:
            NotRecorded: It cannot.
        """

    def give(self, record: Exchanged, durable: "asyncio.Future[None]") -> str:
        """Record that something was given; `durable` is done once that is on disk.

        Raises:
            NotRecorded: It cannot be.
        """


@dataclass(slots=True, eq=False, repr=False)
class _Waits:
    """One that is to be served.

    Attributes:
        shown: What came.
        durable: Done once all of it is, and on disk.
        outcome: What became of it, by then.
    """

    shown: Shown
    durable: "asyncio.Future[None]"
    outcome: Outcomes | None = None


class Gathering:
    """Gathers what is to be exchanged.

    Args:
        serves: Whoever tells the story.
        records: Keeps the evidence.
        loop: The process's loop.
        clock: Gives the time as a NumericDate. Each is judged as of when it is served:
            a disk that hangs makes nothing good that has ended meanwhile.
    """

    def __init__(
        self,
        serves: Serves,
        records: Records,
        loop: asyncio.AbstractEventLoop,
        clock: Callable[[], float],
    ) -> None:
        self._serves, self._records, self._loop = serves, records, loop
        self._clock = clock
        self._waiting: list[_Waits] = []
        self._under_way = 0  # groups that are not on disk yet

    async def exchange(self, shown: Shown) -> Outcomes:
        """Serve one with whatever else is there; what is given is on record then.

        Args:
            shown: What came.

        Raises:
            KeyUnknown: As the story says.
            ReviewNeeded: Likewise.
            NotRecorded: There is no evidence of it, so nothing may be given.
        """
        waiting = self._waiting
        if not waiting and not self._under_way:
            self._loop.call_soon(self._serve)
        waits = _Waits(shown, self._loop.create_future())
        waiting.append(waits)
        if len(waiting) >= MOST:
            self._serve()
        await waits.durable
        assert waits.outcome is not None  # noqa: S101 - durable, or failed before
        return waits.outcome

    def _serve(self) -> None:
        waiting, self._waiting = self._waiting, []
        # What cannot be recorded is not begun: nothing is used up by it.
        waiting = [each for each in waiting if self._can_record(each)]
        if not waiting:
            return
        last: asyncio.Future[None] | None = None
        for each, told in zip(waiting, self._told(waiting), strict=True):
            if isinstance(told, Outcomes) and told.minting is not None:
                if self._given(each, told):
                    last = each.durable
            elif not each.durable.done():
                _tell(each, told)
        if last is not None:
            # A group is on disk as a whole.
            self._under_way += 1
            last.add_done_callback(self._on_disk)

    def _told(self, waiting: list[_Waits]) -> Sequence[Outcomes | Exception]:
        try:
            shown = [each.shown for each in waiting]
            return self._serves.exchange_all(shown, self._clock())
        except Exception as error:  # noqa: BLE001 - whoever waits is told, each of them
            return [error] * len(waiting)

    def _can_record(self, each: _Waits) -> bool:
        try:
            self._records.check()
        except NotRecorded as refused:
            if not each.durable.done():
                _tell(each, refused)
            return False
        return True

    def _given(self, each: _Waits, outcome: Outcomes) -> bool:
        """Have it recorded that something was given, and say whether it will be."""
        each.outcome = outcome
        try:
            self._records.give(outcome.record, each.durable)
        except Exception as error:  # noqa: BLE001 - likewise
            if not each.durable.done():
                _tell(each, error)
            return False
        return True

    def _on_disk(self, _: "asyncio.Future[None]") -> None:
        self._under_way -= 1
        if not self._under_way:
            self._serve()


def _tell(each: _Waits, told: Outcomes | Exception) -> None:
    """Tell whoever waits what has to be on no disk."""
    if isinstance(told, Exception):
        each.durable.set_exception(told)
    else:
        each.outcome = told
        each.durable.set_result(None)
