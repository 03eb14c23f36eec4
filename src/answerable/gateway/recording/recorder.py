"""The recorder of one worker: decisions and ends, numbered, on their way to disk.

Everything here runs on the worker's event loop and touches memory only. A thread of its
own (`writer`) takes what has gathered, writes it and tells when it is on disk.
"""

import asyncio
import hashlib
import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from answerable.evidence.spool import encode
from answerable.gateway.recording.turned_away import TurnedAway
from answerable.gateway.wire.call import Call
from answerable.gateway.wire.members import NOWHERE
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Durability
from answerable.model.ids import event_id
from answerable.model.record import (
    SOURCE,
    Act,
    Closed,
    Decided,
    End,
    Ended,
    Ending,
    Kill,
    Opened,
    Record,
    Refusals,
)
from answerable.serving.recording.quotas import Quotas
from answerable.serving.recording.segments import Segments, succeed
from answerable.serving.recording.ticket import NotRecorded, Ticket
from answerable.serving.recording.writer import Entry, Heard, Writer

SECOND = 1.0


@dataclass(frozen=True, slots=True)
class Health:
    """How recording goes.

    Attributes:
        alarm: What the disk refuses at present, empty where it takes everything.
        failures: Groups that could not be written at once, since the start.
        unrecorded: Decisions that were refused for want of a record, since the start.
        recorded: Records so far.
        spooled: Bytes that wait in the spool to be stored.
    """

    alarm: str
    failures: int
    unrecorded: int
    recorded: int
    spooled: int


class Recorder:
    """Records what one worker decides.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Its event loop.
        most: Bytes that may wait in the whole spool.
        most_per_agent: Of those, bytes of any one agent.
        clock: Gives UTC nanoseconds.

    Attributes:
        name: A new random one at each start; the first record names the one before.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        *,
        most: int = 1 << 30,
        most_per_agent: int = 256 << 20,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.name = secrets.token_hex(8)
        self._loop, self._clock, self._most = loop, clock, most
        self._quotas = Quotas(most_per_agent)
        self._away = TurnedAway()
        self._timer: asyncio.TimerHandle | None = None
        self._sequence = 0
        self._closed = False
        self._alarm, self._failures, self._unrecorded = "", 0, 0
        segments = Segments(spool, self.name)
        # Once its folder is there: whoever comes next looks into it.
        previous, recorded = succeed(spool, worker, self.name)
        heard = Heard(self._written, self._failed, self._quotas.release)
        self._writer = Writer(spool, segments, loop, heard)
        self._put(
            Opened(*self._next(), self.name, worker, previous, recorded), at_once=True
        )

    @property
    def health(self) -> Health:
        """How recording goes at present."""
        alarm = "the disk does not answer" if self._writer.is_behind else ""
        return Health(
            self._alarm or alarm,
            self._failures,
            self._unrecorded,
            self._sequence,
            self._writer.spooled,
        )

    def decided(
        self, caller: Caller, call: Call, decision: Decision, body: bytes
    ) -> Ticket:
        """Record a decision before its call goes on.

        Args:
            caller: Who asked.
            call: What.
            decision: What was decided.
            body: The message; its digest is kept, and its size.

        Returns:
            A ticket. Where its `durable` is a future, the call waits for it.

        Raises:
            NotRecorded: It cannot be kept: then the call does not happen.
        """
        agent = caller.agent
        if why := self._obstacle(agent):
            self._unrecorded += 1
            self.refused(f"unrecorded-{why}", caller, call.server, call.method)
            raise NotRecorded(why)
        sequence, at = self._next()
        key = event_id(at, SOURCE, self.name, b"%d" % sequence).hex()
        durable = None
        if decision.durability is Durability.DURABLE:
            durable = self._loop.create_future()
        ticket = Ticket(key, sequence, agent, decision.passes, durable)
        record = Decided(sequence, at, key, caller, act_of(call, body), decision)
        self._put(record, agent, ticket if durable is not None else None)
        return ticket

    def ended(self, ticket: Ticket, end: End) -> None:
        """Record how a call ended; what is no longer owed is left out."""
        if not ticket.passes:
            return
        ticket.passes = False
        # Taken however full the spool is: calls in flight are few, and did happen.
        self._put(Ended(*self._next(), ticket.sequence, end), ticket.agent)

    def refused(
        self, why: str, caller: Caller | None, server: str, method: str
    ) -> None:
        """Count a request that was turned away before a decision."""
        agent = caller.agent if caller is not None else ""
        if self._quotas.spent(agent):
            server = method = ""  # then it has one count for each reason
        self._away.count(why, agent, server, method)
        if self._timer is None:
            self._timer = self._loop.call_later(SECOND, self._tell_refusals)

    def killed(self, subject: str, *, revived: bool) -> None:
        """Record a kill that took hold here, or was taken back."""
        if not self._closed:
            self._put(Kill(*self._next(), subject, revived), at_once=True)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_refusals()  # however full the spool is: they are few
        self._put(Closed(*self._next()), at_once=True)
        self._closed = True
        self._writer.close()

    def _next(self) -> tuple[int, int]:
        return self._sequence + 1, self._clock()

    def _put(
        self,
        record: Record,
        agent: str = "",
        ticket: Ticket | None = None,
        *,
        at_once: bool = False,
    ) -> None:
        encoded = encode(record)
        self._sequence = record.sequence  # what cannot be encoded takes no number
        if agent:
            self._quotas.take(agent, len(encoded))
        at_once = at_once or ticket is not None
        self._writer.put(Entry(encoded, agent, ticket), at_once=at_once)

    def _obstacle(self, agent: str) -> str:
        """Say why nothing can be recorded for an agent, empty where it can."""
        if self._alarm or self._closed or self._writer.is_behind:
            return "disk"
        if self._writer.spooled >= self._most:
            return "spool-full"
        return "agent-quota" if self._quotas.spent(agent) else ""

    def _tell_refusals(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer = None
        if self._obstacle(""):
            self._timer = self._loop.call_later(SECOND, self._tell_refusals)
            return
        self._record_refusals()

    def _record_refusals(self) -> None:
        for alike, count in self._away.take().items():
            why, agent, server, method = alike
            sequence, at = self._next()
            refusals = Refusals(sequence, at, why, count, agent, server, method)
            self._put(refusals, agent)

    def _written(self, tickets: list[Ticket]) -> None:
        self._alarm = ""
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_result(None)

    def _failed(self, tickets: list[Ticket], why: str) -> None:
        self._alarm = why
        self._failures += 1
        for ticket in tickets:
            if ticket.durable is not None and not ticket.durable.done():
                ticket.durable.set_exception(NotRecorded("disk"))
            # The writer tries again, so the decision may yet stand there alone.
            self.ended(ticket, End(Ending.WITHHELD))


def act_of(call: Call, body: bytes) -> Act:
    """Give what a call does, without what it does it with."""
    arguments = ""
    if call.arguments is not NOWHERE:
        arguments = hashlib.sha256(memoryview(body)[call.arguments]).hexdigest()
    return Act(
        era=call.era,
        method=call.method,
        server=call.server,
        target=call.target,
        name=call.name,
        watched=tuple(f"{each.target}:{each.name}" for each in call.watched),
        session=call.session,
        state=call.state,
        size=len(body),
        arguments=arguments,
    )
