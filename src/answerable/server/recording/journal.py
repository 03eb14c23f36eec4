"""Number one process's audit records in sequence, and queue them for the log writer.

Everything here runs on the event loop and touches memory only. A thread (`writer`)
writes groups of records and reports when they are on disk.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from answerable.evidence.spool_format import encode_record
from answerable.model.spool_record import RecorderClosed, RecorderOpened, SpoolRecord
from answerable.server.recording.agent_quotas import AgentQuotas
from answerable.server.recording.record_group_commit import (
    GroupCommitWriter,
    JournalEntry,
    WriterCallbacks,
)
from answerable.server.recording.record_ticket import NotRecorded, RecordTicket
from answerable.server.recording.spool_segments import (
    SegmentWriter,
    replace_worker_recorder,
)


class RecordJournal:
    """Journal of one process.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        withheld: Called for each ticket whose record did not reach the disk.
        most: Maximum bytes of the spool.
        most_per_agent: Maximum bytes of one agent in the spool.
        clock: Returns UTC nanoseconds.
        prefix: Prefix of the name, for the kind of server.

    Attributes:
        name: Random name of this start; the first record names the previous one.
        alarm: Last disk error, empty since a write succeeded.
        failures: Number of groups whose first write failed, since the start.
        recorded: Number of records so far.

    Raises:
        EnvironmentFailure: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        withheld: Callable[[RecordTicket], None],
        *,
        most: int = 1 << 30,
        most_per_agent: int = 256 << 20,
        clock: Callable[[], int] = time.time_ns,
        prefix: str = "",
    ) -> None:
        self.name = prefix + secrets.token_hex(8)
        self.alarm, self.failures, self.recorded = "", 0, 0
        self.loop, self._clock, self._most = loop, clock, most
        self._withheld = withheld
        self._quotas = AgentQuotas(most_per_agent)
        self._closed = False
        segments = SegmentWriter(spool, self.name)
        # Once its folder exists: the next recorder reads it.
        previous, recorded = replace_worker_recorder(spool, worker, self.name)
        heard = WriterCallbacks(
            self._complete_tickets, self._fail_tickets, self._quotas.release_bytes
        )
        self._writer = GroupCommitWriter(spool, segments, loop, heard)
        self.append(
            RecorderOpened(
                *self.next_record_number(), self.name, worker, previous, recorded
            ),
            at_once=True,
        )

    @property
    def is_closed(self) -> bool:
        """True where no record is accepted any more."""
        return self._closed

    @property
    def is_disk_stalled(self) -> bool:
        """True where the disk neither completes nor fails a write."""
        return self._writer.is_disk_stalled

    @property
    def unshipped_bytes(self) -> int:
        """Bytes in the spool that are not shipped yet."""
        return self._writer.spooled

    def next_record_number(self) -> tuple[int, int]:
        """Take the next sequence number of an audit record, and the time."""
        return self.recorded + 1, self._clock()

    def append(
        self,
        record: SpoolRecord,
        agent: str = "",
        ticket: RecordTicket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Queue a record that has the number from `next_record_number`.

        Args:
            record: Record with the number that `next_record_number` returned.
            agent: Agent whose quota it counts against, empty for none.
            ticket: Ticket whose `durable` is completed once the record is on disk.
            at_once: The group is written without waiting for more.
        """
        # A record that cannot be encoded gets no number.
        self.append_encoded(encode_record(record), agent, ticket, at_once=at_once)

    def append_encoded(
        self,
        encoded: bytes,
        agent: str = "",
        ticket: RecordTicket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Queue an encoded audit record for the log writer."""
        self.recorded += 1
        if agent:
            self._quotas.charge_bytes(agent, len(encoded))
        at_once = at_once or ticket is not None
        self._writer.enqueue(JournalEntry(encoded, agent, ticket), at_once=at_once)

    def find_recording_obstacle(self, agent: str) -> str:
        """Return why no record can be written for an agent now, else empty."""
        if self.alarm or self._closed or self._writer.is_disk_stalled:
            return "disk"
        if self._writer.spooled >= self._most:
            return "spool-full"
        return "agent-quota" if self._quotas.is_exhausted(agent) else ""

    def is_over_quota(self, agent: str) -> bool:
        """Return whether an agent has used up its quota."""
        return self._quotas.is_exhausted(agent)

    def close(self) -> None:
        """Write the remaining records, and close; blocks while the disk works."""
        self.append(RecorderClosed(*self.next_record_number()))
        self._closed = True
        self._writer.close()

    def _complete_tickets(self, tickets: list[RecordTicket]) -> None:
        """Complete the tickets of audit records that are on disk."""
        self.alarm = ""
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_result(None)

    def _fail_tickets(self, tickets: list[RecordTicket], reason: str) -> None:
        """Fail the tickets of records that could not be written."""
        self.alarm = reason
        self.failures += 1
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_exception(NotRecorded("disk"))
            # The writer retries, so the record may still be written, without its call.
            self._withheld(ticket)
