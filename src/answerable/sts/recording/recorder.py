"""The recorder of one process: every attempt a record, durable before its answer.

An attempt that was refused leaves a record, too. Whoever shows nothing that holds can
send as fast as the network carries: beyond a number a second such attempts are counted
by their reason, and so are a single issuer's.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from msgspec.structs import replace

from answerable.model.config import Limits
from answerable.model.ids import event_id
from answerable.model.record import (
    STS,
    STS_PREFIX,
    Exchanged,
    Kill,
    Refusals,
)
from answerable.serving.recording.journal import Journal
from answerable.serving.recording.ticket import NotRecorded, Ticket

SECOND = 1.0
# Refused attempts a second that leave a record of their own, by whom they are of.
OF_NOBODY = 50
OF_AN_ISSUER = 200
_KINDS = 64  # reasons counted apart within a second


class Recorder:
    """Records what one process gives and refuses.

    Args:
        spool: Folder of all recorders' folders.
        loop: Its event loop.
        limits: Of the spool.
        clock: Gives UTC nanoseconds.

    Attributes:
        journal: Where records go.
        unrecorded: Attempts refused for want of a record, since the start.
        counted: Attempts by (what, error), since the start.
        away: Requests turned away, by reason, since the start.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = Journal(
            spool,
            0,
            loop,
            _nothing_owed,
            most=limits.spool,
            most_per_agent=limits.spool_per_agent,
            clock=clock,
            prefix=STS_PREFIX,
        )
        self.unrecorded = 0
        self.counted: Counter[tuple[str, str]] = Counter()
        self.away: Counter[str] = Counter()
        self._loop = loop
        self._alike: Counter[tuple[str, str]] = Counter()  # not yet recorded
        self._own: Counter[str] = Counter()  # refused with a record, by issuer
        self._timer: asyncio.TimerHandle | None = None

    def obstacle(self, agent: str) -> str:
        """Say why nothing can be recorded for an agent, empty where it can."""
        return self.journal.obstacle(agent)

    async def given(self, record: Exchanged) -> str:
        """Record that something was given; it is on disk when this returns.

        Returns:
            Id of the event that it becomes.

        Raises:
            NotRecorded: It is not, so nothing may be given.
        """
        if why := self.journal.obstacle(record.agent):
            self.unrecorded += 1
            raise NotRecorded(why)
        durable = self._loop.create_future()
        told = self._numbered(record)
        self.journal.put(
            told,
            record.agent,
            Ticket(told.id, told.sequence, record.agent, False, durable),
        )
        self.counted[record.what, ""] += 1
        await durable
        return told.id

    def refused(self, record: Exchanged) -> None:
        """Record that something was refused; or count it, where there are too many."""
        self.counted[record.what, record.error] += 1
        most = OF_AN_ISSUER if record.issuer else OF_NOBODY
        self._own[record.issuer] += 1
        many = self._own[record.issuer] > most
        if many or self.journal.obstacle(record.agent):
            self._count(record.reason or record.error, record.agent)
        else:
            self.journal.put(self._numbered(record), record.agent)
        self._time()

    def turned_away(self, why: str) -> None:
        """Count a request that was refused before any endpoint saw it."""
        self.away[why] += 1
        self._count(why, "")
        self._time()

    def killed(self, subject: str, *, revived: bool) -> None:
        """Record a kill that took hold here, or was taken back."""
        if not self.journal.closed:
            kill = Kill(*self.journal.next(), subject, revived)
            self.journal.put(kill, at_once=True)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def _numbered(self, record: Exchanged) -> Exchanged:
        sequence, at = self.journal.next()
        key = event_id(at, STS, self.journal.name, b"%d" % sequence).hex()
        return replace(record, sequence=sequence, at=at, id=key)

    def _count(self, why: str, agent: str) -> None:
        alike = (why, agent)
        if alike not in self._alike and len(self._alike) >= _KINDS:
            alike = (why, "") if (why, "") in self._alike else ("other", "")
        self._alike[alike] += 1

    def _time(self) -> None:
        if self._timer is None:
            self._timer = self._loop.call_later(SECOND, self._tell)

    def _tell(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer = None
        self._own.clear()
        if self.journal.obstacle(""):
            self._time()
            return
        self._record_counts()

    def _record_counts(self) -> None:
        alike, self._alike = self._alike, Counter()
        for (why, agent), count in alike.items():
            refusals = Refusals(*self.journal.next(), why, count, agent)
            self.journal.put(refusals, agent)


def _nothing_owed(_: Ticket) -> None:
    """What was not recorded was not given, so no record has to say that."""
