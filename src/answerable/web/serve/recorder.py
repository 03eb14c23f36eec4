"""The recorder of the web page: who came, was refused and left, on its way to the store.

What cannot be recorded keeps nobody out, for whoever comes may come to kill: the log of
the process says it instead. Whoever has nothing to show can try without end, so beyond
a number a minute such tries are counted by their reason.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from answerable.model.config import Limits
from answerable.model.record import WEB_PREFIX, Refusals, Visited
from answerable.serving.recording.journal import Journal
from answerable.serving.recording.ticket import Ticket
from answerable.web.auth.sessions import Session

MINUTE = 60.0  # seconds
OF_THEIR_OWN = 10  # refused sign-ins a minute that leave a record each
_IN, _OUT = "sign-in", "sign-out"
_LONGEST = 500  # characters of who vouched


class Recorder:
    """Records what becomes of sign-ins in one process.

    Args:
        spool: Folder of all recorders' folders.
        loop: Its event loop.
        limits: Of the spool.
        missed: Told why something is not recorded.
        clock: Gives UTC nanoseconds.

    Attributes:
        journal: Where records go.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        missed: Callable[[str], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = Journal(
            *(spool, 0, loop, _nothing_owed),
            most=limits.spool,
            most_per_agent=limits.spool_per_agent,
            clock=clock,
            prefix=WEB_PREFIX,
        )
        self._loop, self._missed = loop, missed
        self._refused = 0  # with a record of their own, within this minute
        self._alike: Counter[str] = Counter()  # not yet recorded
        self._timer: asyncio.TimerHandle | None = None

    def entered(self, session: Session) -> None:
        """Record that somebody came in."""
        self._put(_IN, session.by, session)

    def left(self, session: Session) -> None:
        """Record that somebody signed out."""
        self._put(_OUT, session.by, session)

    def refused(self, by: str, why: str) -> None:
        """Record that somebody was not let in; or count it, where that is often."""
        self._refused += 1
        if self._refused > OF_THEIR_OWN:
            self._alike[why] += 1
        else:
            self._put(_IN, by, why=why)
        if self._timer is None:
            self._timer = self._loop.call_later(MINUTE, self._tell)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def _put(
        self, what: str, by: str, session: Session | None = None, why: str = ""
    ) -> None:
        if obstacle := self.journal.obstacle(""):
            self._missed(obstacle)
            return
        person: str = (session.person or "") if session is not None else ""
        roles = sorted(role.value for role in session.roles) if session else []
        record = Visited(
            *self.journal.next(),
            what,
            by[:_LONGEST],
            person,
            tuple(roles),
            why,
        )
        self.journal.put(record, at_once=True)

    def _tell(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer, self._refused = None, 0
        if self.journal.obstacle(""):
            self._timer = self._loop.call_later(MINUTE, self._tell)
            return
        self._record_counts()

    def _record_counts(self) -> None:
        alike, self._alike = self._alike, Counter()
        for why, count in alike.items():
            counted = Refusals(*self.journal.next(), why, count, method=_IN)
            self.journal.put(counted, at_once=True)


def _nothing_owed(_: Ticket) -> None:
    """Nobody waits for one of these records."""
