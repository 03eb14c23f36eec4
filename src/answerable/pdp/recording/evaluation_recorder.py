"""Recorder of one decision point: every evaluation is recorded before its answer.

The call is enforced elsewhere, so the recorded end of an allowed call says that it may
or may not have happened.
"""

from answerable.model.caller import Caller
from answerable.model.decision import Decision, Durability
from answerable.model.ids import event_id
from answerable.model.spool_record import (
    PDP,
    PDP_PREFIX,
    Act,
    Decided,
    End,
    Ended,
    Ending,
)
from answerable.server.recording.record_ticket import NotRecorded, Ticket
from answerable.server.recording.server_recorder import DoorRecorder


class Recorder(DoorRecorder):
    """Recorder of evaluations."""

    prefix = PDP_PREFIX

    async def decided(self, caller: Caller, act: Act, decision: Decision) -> str:
        """Record a decision; a durable one is on disk on return.

        Returns:
            Its id.

        Raises:
            NotRecorded: It cannot be recorded; the answer must be a denial.
        """
        journal, agent = self.journal, caller.agent
        if why := journal.obstacle(agent):
            self.unrecorded += 1
            self.turned_away(f"unrecorded-{why}", agent)
            raise NotRecorded(why)
        sequence, at = journal.next()
        key = event_id(at, PDP, journal.name, b"%d" % sequence).hex()
        durable = None
        if decision.durability is Durability.DURABLE:
            durable = journal.loop.create_future()
        ticket = Ticket(key, sequence, agent, decision.passes, durable)
        record = Decided(sequence, at, key, caller, act, decision)
        journal.put(record, agent, ticket if durable is not None else None)
        if durable is not None:
            await durable
        self._end(ticket, Ending.UNKNOWN)
        passes = "true" if decision.passes else "false"
        self.counted[decision.effect.value, passes] += 1
        return key

    def _end(self, ticket: Ticket, ending: Ending) -> None:
        if not ticket.passes:
            return
        ticket.passes = False
        end = Ended(*self.journal.next(), ticket.sequence, End(ending))
        self.journal.put(end, ticket.agent)

    def _withheld(self, ticket: Ticket) -> None:
        self._end(ticket, Ending.WITHHELD)
