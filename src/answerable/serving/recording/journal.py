"""The journal of one recorder: its records, numbered, on their way to disk.

Everything here runs on the event loop and touches memory only. A thread of its own
(`writer`) takes what has gathered, writes it and tells when it is on disk.
"""

import asyncio
import secrets
import time
from collections.abc import Callable
from pathlib import Path

from answerable.evidence.spool import encode
from answerable.model.record import Closed, Opened, Record
from answerable.serving.recording.quotas import Quotas
from answerable.serving.recording.segments import Segments, succeed
from answerable.serving.recording.ticket import NotRecorded, Ticket
from answerable.serving.recording.writer import Entry, Heard, Writer


class Journal:
    """Numbers the records of one process, and has them written.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Its event loop.
        withheld: Told of each ticket whose record did not reach the disk in time.
        most: Bytes that may wait in the whole spool.
        most_per_agent: Of those, bytes of any one agent.
        clock: Gives UTC nanoseconds.
        prefix: Begins the name, which says what door records.

    Attributes:
        name: A new random one at each start; the first record names the one before.
        alarm: What the disk refused last, empty since it takes everything.
        failures: Groups that could not be written at once, since the start.
        recorded: Records so far.

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
        # Once its folder is there: whoever comes next looks into it.
        previous, recorded = succeed(spool, worker, self.name)
        heard = Heard(self._written, self._failed, self._quotas.release)
        self._writer = Writer(spool, segments, loop, heard)
        self.put(
            Opened(*self.next(), self.name, worker, previous, recorded), at_once=True
        )

    @property
    def closed(self) -> bool:
        """Nothing more is taken."""
        return self._closed

    @property
    def is_behind(self) -> bool:
        """Whether the disk neither takes nor refuses what it was given."""
        return self._writer.is_behind

    @property
    def spooled(self) -> int:
        """Bytes that wait in the spool to be stored."""
        return self._writer.spooled

    def next(self) -> tuple[int, int]:
        """Give the number of the next record, and the time."""
        return self.recorded + 1, self._clock()

    def put(
        self,
        record: Record,
        agent: str = "",
        ticket: Ticket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Have a record written.

        Args:
            record: With the number that `next` gave.
            agent: Whose quota it counts against, empty for nobody's.
            ticket: Whose `durable` is done once the record is on disk.
            at_once: The group does not wait for more.
        """
        # What cannot be encoded takes no number.
        self.write(encode(record), agent, ticket, at_once=at_once)

    def write(
        self,
        encoded: bytes,
        agent: str = "",
        ticket: Ticket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        """Have a record written, as `put` does, that is encoded already."""
        self.recorded += 1
        if agent:
            self._quotas.take(agent, len(encoded))
        at_once = at_once or ticket is not None
        self._writer.put(Entry(encoded, agent, ticket), at_once=at_once)

    def obstacle(self, agent: str) -> str:
        """Say why nothing can be recorded for an agent, empty where it can."""
        if self.alarm or self._closed or self._writer.is_behind:
            return "disk"
        if self._writer.spooled >= self._most:
            return "spool-full"
        return "agent-quota" if self._quotas.spent(agent) else ""

    def spent(self, agent: str) -> bool:
        """Say whether an agent has used up its quota."""
        return self._quotas.spent(agent)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
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
            # The writer tries again, so the record may yet stand there alone.
            self._withheld(ticket)
