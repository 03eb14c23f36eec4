"""Record sign-ins, refused sign-ins and sign-outs in the audit journal.

A failure to record does not block a sign-in, because the person may come to revoke an
agent; it is logged instead. Refused sign-ins over a rate per minute are only counted.
"""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from answerable.model.log_sources import WEB_PREFIX
from answerable.model.spool_record import SignInRecord
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.server_recorder import ServerRecorder
from answerable.web.auth.sessions import WebSession

MAX_REFUSALS = 10  # records of refused sign-ins per minute
_IN, _OUT = "sign-in", "sign-out"
_MAX_METHOD = 500  # characters of the sign-in method


class SignInRecorder(ServerRecorder):
    """Recorder of sign-ins of one process.

    Args:
        spool: Folder of all recorders.
        report_lost: Called with the reason if a record is lost.
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
        report_lost: Callable[[str], None],
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(spool, loop, limits, clock=clock)
        self._report_lost = report_lost

    def record_sign_in(self, session: WebSession) -> None:
        """Record a sign-in."""
        self._write_record(_IN, session.by, session)

    def record_sign_out(self, session: WebSession) -> None:
        """Record a sign-out."""
        self._write_record(_OUT, session.by, session)

    def record_refused(self, method: str, reason: str) -> None:
        """Record a refused sign-in; above ten a minute only count it."""
        if self._gets_own_record("", MAX_REFUSALS):
            self._write_record(_IN, method, reason=reason)
        else:
            self._count_refusal(reason)

    def _write_record(
        self,
        kind: str,
        method: str,
        session: WebSession | None = None,
        reason: str = "",
    ) -> None:
        """Append a record to the journal, or report that it is lost."""
        if obstacle := self.journal.find_recording_obstacle(""):
            self._report_lost(obstacle)
            return
        person: str = (session.person or "") if session is not None else ""
        roles = sorted(role.value for role in session.roles) if session else []
        record = SignInRecord(
            *self.journal.next_record_number(),
            kind,
            method[:_MAX_METHOD],
            person,
            tuple(roles),
            reason,
        )
        self.journal.append(record, at_once=True)
