"""The recorder of one worker: decisions and ends, numbered, on their way to disk.

Everything here runs on the worker's event loop and touches memory only; the journal
has it written.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec

from answerable.evidence.spool import encode, encode_decided
from answerable.gateway.shown.credential import Credential
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Durability
from answerable.model.ids import event_id
from answerable.model.record import (
    SOURCE,
    Act,
    Acted,
    End,
    Ended,
    Ending,
    Kill,
    Refusals,
)
from answerable.serving.mcp.call import Call, Watched
from answerable.serving.recording.journal import Journal
from answerable.serving.recording.ticket import NotRecorded, Ticket
from answerable.serving.recording.turned_away import TurnedAway

SECOND = 1.0
MOST_SPELLED = 1024


class Facts(msgspec.Struct, frozen=True, gc=False):
    """What the record of a decision is made of.

    Attributes:
        ticket: Its number, and what holds its call.
        caller: Who asked.
        call: What.
        decision: What was decided.
        body: The message.
        shown: What the server is shown, None where that is nothing.
        acted: The call as a baseline sees it, None where nobody watches.
    """

    ticket: Ticket
    caller: Caller
    call: Call
    decision: Decision
    body: bytes
    shown: Credential | None
    acted: Acted | None


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
        self._journal = Journal(
            spool,
            worker,
            loop,
            self._withheld,
            most=most,
            most_per_agent=most_per_agent,
            clock=clock,
        )
        self.name = self._journal.name
        self._away = TurnedAway()
        self._timer: asyncio.TimerHandle | None = None
        self._unrecorded = 0
        self._spelled = Spelled()
        self._owed: Facts | None = None  # of a record that was left for later

    @property
    def health(self) -> Health:
        """How recording goes at present."""
        journal = self._journal
        alarm = "the disk does not answer" if journal.is_behind else ""
        return Health(
            journal.alarm or alarm,
            journal.failures,
            self._unrecorded,
            journal.recorded,
            journal.spooled,
        )

    def decided(
        self,
        caller: Caller,
        call: Call,
        decision: Decision,
        body: bytes,
        shown: Credential | None = None,
        acted: Acted | None = None,
        later: bool = False,
    ) -> Ticket:
        """Record a decision before its call goes on.

        Args:
            caller: Who asked.
            call: What.
            decision: What was decided.
            body: The message; its digest is kept, and its size.
            shown: What the server is shown, None where that is nothing.
            acted: The call as a baseline sees it, None where nobody watches.
            later: `settle` follows as soon as the call is on its way. Of a call that
                waits for no disk the record is put together then, under the number
                that it has by now; any other is recorded here.

        Returns:
            A ticket. Where its `durable` is a future, the call waits for it.

        Raises:
            NotRecorded: It cannot be kept: then the call does not happen.
        """
        if self._owed is not None:
            self.settle()
        agent = caller.agent
        if why := self._journal.obstacle(agent):
            self._unrecorded += 1
            self.refused(f"unrecorded-{why}", caller, call.server, call.method)
            raise NotRecorded(why)
        durable = None
        if decision.durability is Durability.DURABLE:
            durable = self._journal.loop.create_future()
        sequence, at = self._journal.next()
        ticket = Ticket("", sequence, agent, decision.passes, durable, at)
        facts = Facts(ticket, caller, call, decision, body, shown, acted)
        if later and durable is None and decision.passes:
            # All else of it was read from UTF-8; what cannot be spelled is not sent.
            self._spelled(caller)
            self._owed = facts
        else:
            self._put(facts)
        return ticket

    def settle(self) -> None:
        """Make the record that was left for later; nothing is numbered before that."""
        owed = self._owed
        if owed is not None:
            self._owed = None
            self._put(owed)

    def _put(self, facts: Facts) -> None:
        """Make the record of a decision, under the number of its ticket."""
        ticket, spelled = facts.ticket, self._spelled
        sequence, at = ticket.sequence, ticket.at
        ticket.id = event_id(at, SOURCE, self.name, b"%d" % sequence).hex()
        record = encode_decided(
            sequence,
            at,
            ticket.id,
            spelled(facts.caller),
            act_of(facts.call, facts.body, facts.shown, facts.acted),
            spelled(facts.decision),
        )
        waits = ticket if ticket.durable is not None else None
        self._journal.write(record, ticket.agent, waits)

    def ended(self, ticket: Ticket, end: End) -> None:
        """Record how a call ended; what is no longer owed is left out."""
        if not ticket.passes:
            return
        if self._owed is not None:
            self.settle()
        ticket.passes = False
        # Taken however full the spool is: calls in flight are few, and did happen.
        self._journal.put(
            Ended(*self._journal.next(), ticket.sequence, end), ticket.agent
        )

    def refused(
        self, why: str, caller: Caller | None, server: str, method: str
    ) -> None:
        """Count a request that was turned away before a decision."""
        agent = caller.agent if caller is not None else ""
        if self._journal.spent(agent):
            server = method = ""  # then it has one count for each reason
        self._away.count(why, agent, server, method)
        if self._timer is None:
            self._timer = self._journal.loop.call_later(SECOND, self._tell_refusals)

    def killed(self, subject: str, *, revived: bool) -> None:
        """Record a kill that took hold here, or was taken back."""
        self.settle()
        if not self._journal.closed:
            self._journal.put(
                Kill(*self._journal.next(), subject, revived), at_once=True
            )

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_refusals()  # however full the spool is: they are few
        self._journal.close()

    def _tell_refusals(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer = None
        if self._journal.obstacle(""):
            self._timer = self._journal.loop.call_later(SECOND, self._tell_refusals)
            return
        self._record_refusals()

    def _record_refusals(self) -> None:
        self.settle()
        for alike, count in self._away.take().items():
            why, agent, server, method = alike
            sequence, at = self._journal.next()
            refusals = Refusals(sequence, at, why, count, agent, server, method)
            self._journal.put(refusals, agent)

    def _withheld(self, ticket: Ticket) -> None:
        self.ended(ticket, End(Ending.WITHHELD))


class Spelled:
    """Encodes a caller or a decision once, however many records it stands in.

    They are frozen, and known by identity: what is remembered is kept, so that no other
    object can have its place in memory.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, msgspec.Raw]] = {}

    def __call__(self, what: Caller | Decision) -> msgspec.Raw:
        """Encode it."""
        found = self._known.get(id(what))
        if found is None:
            if len(self._known) >= MOST_SPELLED:
                self._known.clear()
            found = self._known[id(what)] = (what, msgspec.Raw(encode(what)))
        return found[1]


def act_of(
    call: Call,
    body: bytes,
    shown: Credential | None = None,
    acted: Acted | None = None,
) -> Act:
    """Give what a call does, without what it does it with."""
    arguments = ""
    if call.arguments:
        arguments = hashlib.sha256(call.arguments).hexdigest()
    identity = credential = jti = ""
    if shown is not None:
        identity, credential, jti = shown.identity, shown.digest, shown.jti
    watched = _spelled(call.watched) if call.watched else ()
    return Act(
        call.era, call.method, call.server, call.target, call.name, watched,
        call.session, call.state, len(body), arguments, identity, credential, jti,
        acted=acted,
    )  # fmt: skip


def _spelled(watched: tuple[Watched, ...]) -> tuple[str, ...]:
    return tuple(f"{each.target}:{each.name}" for each in watched)
