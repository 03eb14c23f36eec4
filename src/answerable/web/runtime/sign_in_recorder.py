"""Recorder of the web interface: sign-ins, refused sign-ins, sign-outs.

A failure to record does not block a sign-in, because the person may come to revoke an
agent; it is logged instead. Refused sign-ins over a rate per minute are only counted.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from answerable.model.spool_record import WEB_PREFIX, Visited
from answerable.model.worker_limits import Limits
from answerable.server.recording.server_recorder import DoorRecorder
from answerable.web.auth.sessions import Session

OF_THEIR_OWN = 10  # refused sign-ins a minute that leave a record each
_IN, _OUT = "sign-in", "sign-out"
_LONGEST = 500  # characters of who vouched


class Recorder(DoorRecorder):
    """Recorder of sign-ins of one process.

    Args:
        spool: Folder of all recorders.
        missed: Called with the reason if a record is lost.
        clock: Returns UTC nanoseconds.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    prefix, every, counts_as = WEB_PREFIX, 60.0, _IN

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        missed: Callable[[str], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(spool, loop, limits, clock=clock)
        self._missed = missed

    def entered(self, session: Session) -> None:
        """Record a sign-in."""
        self._put(_IN, session.by, session)

    def left(self, session: Session) -> None:
        """Record a sign-out."""
        self._put(_OUT, session.by, session)

    def refused(self, by: str, why: str) -> None:
        """Record a refused sign-in, or only count it above the rate."""
        if self._has_own("", OF_THEIR_OWN):
            self._put(_IN, by, why=why)
        else:
            self._count(why)

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
