"""Recorder of the web interface: sign-ins, refused sign-ins, sign-outs.

A failure to record does not block a sign-in, because the person may come to revoke an
agent; it is logged instead. Refused sign-ins over a rate per minute are only counted.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from answerable.model.event_sources import WEB_PREFIX
from answerable.model.spool_record import SignInRecord
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.server_recorder import ServerRecorder
from answerable.web.auth.sessions import WebSession

MAX_REFUSALS = 10  # refused sign-ins a minute that leave a record each
_IN, _OUT = "sign-in", "sign-out"
_MAX_METHOD = 500  # characters of who vouched


class SignInRecorder(ServerRecorder):
    """Recorder of sign-ins of one process.

    Args:
        spool: Folder of all recorders.
        missed: Called with the reason if a record is lost.
        clock: Returns UTC nanoseconds.

    Raises:
        EnvironmentFailure: The spool cannot be written.
    """

    prefix, every, counts_as = WEB_PREFIX, 60.0, _IN

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: WorkerLimits,
        missed: Callable[[str], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(spool, loop, limits, clock=clock)
        self._missed = missed

    def record_sign_in(self, session: WebSession) -> None:
        """Record a sign-in."""
        self._write_record(_IN, session.by, session)

    def record_sign_out(self, session: WebSession) -> None:
        """Record a sign-out."""
        self._write_record(_OUT, session.by, session)

    def record_refused(self, by: str, why: str) -> None:
        """Record a refused sign-in, or only count it above the rate."""
        if self._gets_own_record("", MAX_REFUSALS):
            self._write_record(_IN, by, why=why)
        else:
            self._count_refusal(why)

    def _write_record(
        self, what: str, by: str, session: WebSession | None = None, why: str = ""
    ) -> None:
        if obstacle := self.journal.find_obstacle(""):
            self._missed(obstacle)
            return
        person: str = (session.person or "") if session is not None else ""
        roles = sorted(role.value for role in session.roles) if session else []
        record = SignInRecord(
            *self.journal.next_number(),
            what,
            by[:_MAX_METHOD],
            person,
            tuple(roles),
            why,
        )
        self.journal.append(record, at_once=True)
