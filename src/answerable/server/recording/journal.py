"""Journal of one recorder: numbers records, and passes them to the writer.

Everything here runs on the event loop and touches memory only. A thread (`writer`)
writes groups of records and reports when they are on disk.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from answerable.evidence.spool_format import encode
from answerable.model.spool_record import Closed, Opened, Record
from answerable.server.recording.agent_quotas import Quotas
from answerable.server.recording.group_commit import Entry, Heard, Writer
from answerable.server.recording.record_ticket import NotRecorded, Ticket
from answerable.server.recording.segments import Segments, succeed


class Journal:
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
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        withheld: Callable[[Ticket], None],
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
        self._quotas = Quotas(most_per_agent)
        self._closed = False
        segments = Segments(spool, self.name)
        # Once its folder exists: the next recorder reads it.
        previous, recorded = succeed(spool, worker, self.name)
        heard = Heard(self._written, self._failed, self._quotas.release)
        self._writer = Writer(spool, segments, loop, heard)
        self.put(
            Opened(*self.next(), self.name, worker, previous, recorded), at_once=True
        )

    @property
    def closed(self) -> bool:
        """True where no record is accepted any more."""
        return self._closed

    @property
    def is_behind(self) -> bool:
        """True where the disk neither completes nor fails a write."""
        return self._writer.is_behind

    @property
    def spooled(self) -> int:
        """Bytes in the spool that are not shipped yet."""
        return self._writer.spooled

    def next(self) -> tuple[int, int]:
        """Return the number of the next record, and the time."""
        return self.recorded + 1, self._clock()

    def put(
        self,
        record: Record,
        agent: str = "",
        ticket: Ticket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Append a record.

        Args:
            record: Record with the number that `next` returned.
            agent: Agent whose quota it counts against, empty for none.
            ticket: Ticket whose `durable` is completed once the record is on disk.
            at_once: The group is written without waiting for more.
        """
        # A record that cannot be encoded gets no number.
        self.write(encode(record), agent, ticket, at_once=at_once)

    def write(
        self,
        encoded: bytes,
        agent: str = "",
        ticket: Ticket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Append an encoded record, as `put` does."""
        self.recorded += 1
        if agent:
            self._quotas.take(agent, len(encoded))
        at_once = at_once or ticket is not None
        self._writer.put(Entry(encoded, agent, ticket), at_once=at_once)

    def obstacle(self, agent: str) -> str:
        """Return the reason that no record is possible for an agent, else empty."""
        if self.alarm or self._closed or self._writer.is_behind:
            return "disk"
        if self._writer.spooled >= self._most:
            return "spool-full"
        return "agent-quota" if self._quotas.spent(agent) else ""

    def spent(self, agent: str) -> bool:
        """Tell whether an agent has used up its quota."""
        return self._quotas.spent(agent)

    def close(self) -> None:
        """Write the rest, and close; it blocks while the disk works."""
        self.put(Closed(*self.next()))
        self._closed = True
        self._writer.close()

    def _written(self, tickets: list[Ticket]) -> None:
        self.alarm = ""
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_result(None)

    def _failed(self, tickets: list[Ticket], why: str) -> None:
        self.alarm = why
        self.failures += 1
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_exception(NotRecorded("disk"))
            # The writer retries, so the record may still be written, without its call.
            self._withheld(ticket)
