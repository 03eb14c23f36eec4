"""Recorder of one worker: numbers the records of decisions and ends.

Everything here runs on the worker's event loop and touches memory only; the journal
writes to disk.
"""

import asyncio
import hashlib
import time
from collections.abc import Callable
from pathlib import Path

import msgspec

from answerable.evidence.spool_format import encode, encode_decided
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.model.caller import Caller
from answerable.model.decision import Decision, Durability
from answerable.model.ids import event_id
from answerable.model.spool_record import SOURCE, Act, Acted, End, Ended, Ending
from answerable.model.worker_limits import Limits
from answerable.server.mcp.call import Call, Watched
from answerable.server.recording.record_ticket import NotRecorded, Ticket
from answerable.server.recording.server_recorder import DoorRecorder

MOST_SPELLED = 1024


class Facts(msgspec.Struct, frozen=True, gc=False):
    """Facts for the record of a decision.

    Attributes:
        ticket: Its number and the state of its call.
        decision: The decision on it.
        shown: Credential for the server; None where it gets none.
        acted: Activity for the baseline; None where the agent is not watched.
    """

    ticket: Ticket
    caller: Caller
    call: Call
    decision: Decision
    body: bytes
    shown: Credential | None
    acted: Acted | None


class Recorder(DoorRecorder):
    """Recorder of the decisions of one worker.

    Args:
        spool: Folder of all recorders' folders.
        worker: Number of the worker.
        loop: Event loop of the worker.
        limits: Limits of the spool.
        clock: Returns UTC nanoseconds.

    Attributes:
        name: Random name of this start; the first record names the previous one.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        worker: int,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        super().__init__(spool, loop, limits, worker=worker, clock=clock)
        self.name = self.journal.name
        self._spelled = Spelled()
        self._owed: Facts | None = None  # of a record that was left for later

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
            caller: The verified caller.
            call: The call.
            decision: The decision on it.
            body: The message; its digest and size are kept.
            shown: Credential for the server; None where it gets none.
            acted: Activity for the baseline; None where the agent is not watched.
            later: `settle` follows as soon as the call is sent. The record of a call
                that waits for no disk is encoded then, under the number that it has by
                now; any other is recorded here.

        Returns:
            A ticket. Where its `durable` is a future, the call waits for it.

        Raises:
            NotRecorded: It cannot be kept: then the call does not happen.
        """
        if self._owed is not None:
            self.settle()
        agent = caller.agent
        if why := self.journal.obstacle(agent):
            self.unrecorded += 1
            self.refused(f"unrecorded-{why}", caller, call.server, call.method)
            raise NotRecorded(why)
        durable = None
        if decision.durability is Durability.DURABLE:
            durable = self.journal.loop.create_future()
        sequence, at = self.journal.next()
        ticket = Ticket("", sequence, agent, decision.passes, durable, at)
        facts = Facts(ticket, caller, call, decision, body, shown, acted)
        if later and durable is None and decision.passes:
            # The rest came from UTF-8; a caller that cannot be encoded fails here.
            self._spelled(caller)
            self._owed = facts
        else:
            self._put(facts)
        return ticket

    def settle(self) -> None:
        """Write the deferred record; no other record gets a number before."""
        owed = self._owed
        if owed is not None:
            self._owed = None
            self._put(owed)

    def _put(self, facts: Facts) -> None:
        """Write the record of a decision, under the number of its ticket."""
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
        self.journal.write(record, ticket.agent, waits)

    def ended(self, ticket: Ticket, end: End) -> None:
        """Record how a call ended, once."""
        if not ticket.passes:
            return
        if self._owed is not None:
            self.settle()
        ticket.passes = False
        # Written even to a full spool: calls in flight are few, and did happen.
        self.journal.put(
            Ended(*self.journal.next(), ticket.sequence, end), ticket.agent
        )

    def refused(
        self, why: str, caller: Caller | None, server: str, method: str
    ) -> None:
        """Count a request that was refused before a decision."""
        agent = caller.agent if caller is not None else ""
        if self.journal.spent(agent):
            server = method = ""  # then it has one count for each reason
        self.turned_away(why, agent, server, method)

    def _withheld(self, ticket: Ticket) -> None:
        self.ended(ticket, End(Ending.WITHHELD))


class Spelled:
    """Cache of encoded callers and decisions, by object identity.

    They are frozen. The cache keeps each object, so that no other one can reuse its
    address.
    """

    def __init__(self) -> None:
        self._known: dict[int, tuple[object, msgspec.Raw]] = {}

    def __call__(self, what: Caller | Decision) -> msgspec.Raw:
        """Return the encoded object."""
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
    """Describe what a call does, without its arguments."""
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
