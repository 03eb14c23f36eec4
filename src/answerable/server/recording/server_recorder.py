"""Record evidence of one server: base class with journal and counts of refusals.

Unauthenticated clients can cause refusals at network speed. So beyond a few records of
its own per client they are counted, and the counts are recorded periodically.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from answerable.authorization.revocations import Revocations
from answerable.model.spool_record import RefusalCountRecord, RevocationApplied
from answerable.model.worker_limits import WorkerLimits
from answerable.server.recording.journal import RecordJournal
from answerable.server.recording.record_ticket import RecordTicket
from answerable.server.recording.refusal_counts import RefusalCounts


class ServerRecorder:
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
        EnvironmentFailure: The spool cannot be written.
    """

    prefix = ""  # prefix of its name, for the kind of server
    every = 1.0  # seconds between two records of counts
    counts_as = ""  # method of counted requests without one

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: WorkerLimits,
        *,
        worker: int = 0,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = RecordJournal(
            spool,
            worker,
            loop,
            self._on_call_withheld,
            most=limits.spool,
            most_per_agent=limits.spool_per_agent,
            clock=clock,
            prefix=self.prefix,
        )
        self.unrecorded = 0
        self.counted: Counter[tuple[str, ...]] = Counter()
        self.away: Counter[str] = Counter()
        self._alike = RefusalCounts()  # not yet recorded
        self._own: Counter[str] = Counter()  # refusals with a record, by client
        self._timer: asyncio.TimerHandle | None = None

    @property
    def disk_error(self) -> str:
        """Current disk error; empty while the disk accepts writes."""
        stalls = "the disk does not respond" if self.journal.is_disk_stalled else ""
        return self.journal.alarm or stalls

    def count_refused_request(
        self, reason: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        """Count a request that was refused before a decision.

        Args:
            reason: Reason, a word of ours.
            agent: Agent of the caller; empty without an authenticated one.
            server: Requested server; kept for an authenticated caller only.
            method: Requested method; kept for an authenticated caller only.
        """
        self.away[reason] += 1
        self._count_refusal(reason, agent, server, method)

    def record_revocations(self, revoked: Revocations, reinstated: Revocations) -> None:
        """Record revocations and reinstatements that took effect here."""
        self.write_deferred()
        if self.journal.is_closed:
            return
        for subjects, taken_back in ((revoked, False), (reinstated, True)):
            for subject in sorted(subjects):
                kill = RevocationApplied(
                    *self.journal.next_record_number(), subject, taken_back
                )
                self.journal.append(kill, at_once=True)

    def close(self) -> None:
        """Write the remaining records, and close; blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def write_deferred(self) -> None:
        """Write a deferred record, which has the next number."""

    def _on_call_withheld(self, ticket: RecordTicket) -> None:
        """Handle a ticket whose record could not be written."""

    def _count_refusal(
        self, reason: str, agent: str = "", server: str = "", method: str = ""
    ) -> None:
        """Count a refusal, and schedule the record of the counts."""
        self._alike.count_refusal(reason, agent, server, method)
        self._schedule_counts()

    def _gets_own_record(self, client: str, max_records: int) -> bool:
        """Return whether a client's refusal gets a record of its own, by its rate."""
        self._own[client] += 1
        self._schedule_counts()
        return self._own[client] <= max_records

    def _schedule_counts(self) -> None:
        """Schedule the audit record of refusal counts, if none is due yet."""
        if self._timer is None:
            self._timer = self.journal.loop.call_later(
                self.every, self._record_counts_if_possible
            )

    def _record_counts_if_possible(self) -> None:
        """Record the counts, once the disk and the quota allow it."""
        self._timer = None
        self._own.clear()
        if self.journal.find_recording_obstacle(""):
            self._schedule_counts()
        else:
            self._record_counts()

    def _record_counts(self) -> None:
        """Write an audit record with the count of each kind of refusal."""
        self.write_deferred()
        for alike, count in self._alike.take_counts().items():
            method = alike.method or self.counts_as
            sequence, at = self.journal.next_record_number()
            refusals = RefusalCountRecord(
                sequence,
                at,
                alike.why,
                count,
                agent=alike.agent,
                server=alike.server,
                method=method,
            )
            self.journal.append(refusals, alike.agent)
