"""Common part of the recorders of all servers: a journal, and counts of refusals.

Unauthenticated clients can cause refusals at network speed. So beyond a few records of
its own per client they are counted, and the counts are recorded periodically.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from answerable.authorization.revocations import Kills
from answerable.model.spool_record import Kill, Refusals
from answerable.model.worker_limits import Limits
from answerable.server.recording.journal import Journal
from answerable.server.recording.record_ticket import Ticket
from answerable.server.recording.refusal_counts import TurnedAway


class DoorRecorder:
    """Recorder of one server process.

    Args:
        spool: Folder of all recorders' folders.
        limits: Limits of the spool.
        worker: Number of the process, for a server with several.
        clock: Returns UTC nanoseconds.

    Attributes:
        journal: Journal of the records.
        unrecorded: Number of requests refused without a record, since the start.
        counted: Number of requests, by the labels of the metric, since the start.
        away: Number of refused requests, by reason, since the start.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    prefix = ""  # prefix of its name, for the kind of server
    every = 1.0  # seconds between two records of counts
    counts_as = ""  # method of counted requests without one

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
        self._own: Counter[str] = Counter()  # refusals with a record, by client
        self._timer: asyncio.TimerHandle | None = None

    @property
    def alarm(self) -> str:
        """Current disk error; empty while the disk accepts writes."""
        stalls = "the disk does not answer" if self.journal.is_behind else ""
        return self.journal.alarm or stalls

    def turned_away(
        self, why: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        """Count a request that was refused before a decision.

        Args:
            why: Reason, a word of ours.
            agent: Agent of the caller; empty without an authenticated one.
            server: Requested server; kept for an authenticated caller only.
            method: Requested method; kept for an authenticated caller only.
        """
        self.away[why] += 1
        self._count(why, agent, server, method)

    def killed(self, killed: Kills, revived: Kills) -> None:
        """Record revocations and reinstatements that took effect here."""
        self.settle()
        if self.journal.closed:
            return
        for subjects, taken_back in ((killed, False), (revived, True)):
            for subject in sorted(subjects):
                kill = Kill(*self.journal.next(), subject, taken_back)
                self.journal.put(kill, at_once=True)

    def close(self) -> None:
        """Write the rest, and close; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def settle(self) -> None:
        """Write a deferred record, which has the next number."""

    def _withheld(self, ticket: Ticket) -> None:
        """Handle a ticket whose record is not on disk."""

    def _count(
        self, why: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        self._alike.count(why, agent, server, method)
        self._tell_later()

    def _has_own(self, whose: str, most: int) -> bool:
        """Tell whether one more refusal gets a record of its own."""
        self._own[whose] += 1
        self._tell_later()
        return self._own[whose] <= most

    def _tell_later(self) -> None:
        if self._timer is None:
            self._timer = self.journal.loop.call_later(self.every, self._tell_counts)

    def _tell_counts(self) -> None:
        """Record the counts, once the disk and the quota allow it."""
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
