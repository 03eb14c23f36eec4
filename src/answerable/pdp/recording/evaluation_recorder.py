"""Record every evaluation of a decision point, before the response.

The call is enforced elsewhere, so the recorded end of an allowed call says that it may
or may not have happened.
"""

from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision, RecordDurability
from answerable.model.ids import build_event_id
from answerable.model.log_sources import PDP, PDP_PREFIX
from answerable.model.spool_record import (
    CallEndRecord,
    CallOutcome,
    CallResult,
    CallSummary,
    DecisionRecord,
)
from answerable.server.recording.record_ticket import NotRecorded, RecordTicket
from answerable.server.recording.server_recorder import ServerRecorder


class EvaluationRecorder(ServerRecorder):
    """Recorder of evaluations."""

    prefix = PDP_PREFIX

    async def record_decision(
        self, caller: VerifiedCaller, call_summary: CallSummary, decision: Decision
    ) -> str:
        """Record a decision; a durable one is on disk on return.

        Returns:
            Its id.

        Raises:
            NotRecorded: It cannot be recorded; the answer must be a denial.
        """
        journal, agent = self.journal, caller.agent
        if why := journal.find_recording_obstacle(agent):
            self.unrecorded += 1
            self.count_refused_request(f"unrecorded-{why}", agent)
            raise NotRecorded(why)
        sequence, at = journal.next_record_number()
        key = build_event_id(at, PDP, journal.name, b"%d" % sequence).hex()
        durable = None
        if decision.durability is RecordDurability.DURABLE:
            durable = journal.loop.create_future()
        ticket = RecordTicket(key, sequence, agent, decision.passes, durable)
        record = DecisionRecord(sequence, at, key, caller, call_summary, decision)
        journal.append(record, agent, ticket if durable is not None else None)
        if durable is not None:
            await durable
        if decision.passes:  # for the audit log, how it ended
            end = CallEndRecord(
                *journal.next_record_number(), sequence, CallResult(CallOutcome.UNKNOWN)
            )
            journal.append(end, agent)
        passes = "true" if decision.passes else "false"
        self.counted[decision.effect.value, passes] += 1
        return key
