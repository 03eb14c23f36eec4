"""What the recorders of all doors have in common.

A journal, and refusals: whoever shows nothing that holds can bring them about as fast as
the network carries. So beyond what a door gives a record of its own they are counted,
and the counts recorded once a while.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from answerable.enforce.kill import Kills
from answerable.model.limits import Limits
from answerable.model.record import Kill, Refusals
from answerable.serving.recording.journal import Journal
from answerable.serving.recording.ticket import Ticket
from answerable.serving.recording.turned_away import TurnedAway


class DoorRecorder:
    """Records what happens at one door, in one process.

    Args:
        spool: Folder of all recorders' folders.
        loop: Its event loop.
        limits: Of the spool.
        worker: Number of the process, where the door has several.
        clock: Gives UTC nanoseconds.

    Attributes:
        journal: Where records go.
        unrecorded: What was refused for want of a record, since the start.
        counted: What was asked, by the labels of its metric, since the start.
        away: Requests turned away, by reason, since the start.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    prefix = ""  # begins its name, and says which door it is
    every = 1.0  # seconds between two records of what was counted
    counts_as = ""  # the method of what was counted, where it has none

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        *,
        worker: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = Journal(
            *(spool, worker, loop, self._withheld),
            most=limits.spool,
            most_per_agent=limits.spool_per_agent,
            clock=clock,
            prefix=self.prefix,
        )
        self.unrecorded = 0
        self.counted: Counter[tuple[str, ...]] = Counter()
        self.away: Counter[str] = Counter()
        self._alike = TurnedAway()  # not yet recorded
        self._own: Counter[str] = Counter()  # refused with a record, by whom
        self._timer: asyncio.TimerHandle | None = None

    @property
    def alarm(self) -> str:
        """What the disk refuses at present, empty where it takes everything."""
        stalls = "the disk does not answer" if self.journal.is_behind else ""
        return self.journal.alarm or stalls

    def turned_away(
        self, why: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        """Count a request that was turned away before it was decided.

        Args:
            why: The reason, in our own words.
            agent: Whose; empty where no caller was identified.
            server: As asked for; kept for an identified caller only.
            method: Likewise.
        """
        self.away[why] += 1
        self._count(why, agent, server, method)

    def killed(self, killed: Kills, revived: Kills) -> None:
        """Record kills that took hold here, and kills that were taken back."""
        self.settle()
        if self.journal.closed:
            return
        for subjects, taken_back in ((killed, False), (revived, True)):
            for subject in sorted(subjects):
                kill = Kill(*self.journal.next(), subject, taken_back)
                self.journal.put(kill, at_once=True)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def settle(self) -> None:
        """Make a record that was left for later: it has the next number."""

    def _withheld(self, ticket: Ticket) -> None:
        """Hear that a ticket's record is not on disk, so that it opens nothing."""

    def _count(
        self, why: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        self._alike.count(why, agent, server, method)
        self._tell_later()

    def _has_own(self, whose: str, most: int) -> bool:
        """Say whether one more refusal gets a record of its own, before the counts."""
        self._own[whose] += 1
        self._tell_later()
        return self._own[whose] <= most

    def _tell_later(self) -> None:
        if self._timer is None:
            self._timer = self.journal.loop.call_later(self.every, self._tell_counts)

    def _tell_counts(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer = None
        self._own.clear()
        if self.journal.obstacle(""):
            self._tell_later()
        else:
            self._record_counts()

    def _record_counts(self) -> None:
        self.settle()
        for alike, count in self._alike.take().items():
            method = alike.method or self.counts_as
            sequence, at = self.journal.next()
            refusals = Refusals(
                sequence, at, alike.why, count, alike.agent, alike.server, method
            )
            self.journal.put(refusals, alike.agent)
