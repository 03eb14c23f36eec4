"""Record every token exchange of a process, durably before its response.

Refused attempts are recorded too, up to a rate for anonymous attempts and per issuer. A
token is never issued without a record.
"""

import asyncio

from msgspec.structs import replace

from answerable.model.ids import build_event_id
from answerable.model.log_sources import STS, STS_PREFIX
from answerable.model.spool_record import ExchangeRecord
from answerable.server.recording.record_ticket import NotRecorded, RecordTicket
from answerable.server.recording.server_recorder import ServerRecorder

# Refused attempts a second that leave a record of their own, by whom they are of.
MAX_ANONYMOUS = 50
MAX_PER_ISSUER = 200


class ExchangeRecorder(ServerRecorder):
    """Recorder of issued and refused tokens."""

    prefix = STS_PREFIX

    def check_recordable(self, agent: str = "") -> None:
        """Check that evidence can be recorded, before work begins.

        Raises:
            NotRecorded: It cannot; the failure is counted.
        """
        if why := self.journal.find_recording_obstacle(agent):
            self.unrecorded += 1
            raise NotRecorded(why)

    async def record_issued(self, record: ExchangeRecord) -> str:
        """Record an issued token and wait until the record is on disk.

        Returns:
            Id of the resulting event.

        Raises:
            NotRecorded: It could not be recorded, so the token must not be issued.
        """
        durable = self.journal.loop.create_future()
        id = self.queue_issued(record, durable)
        await durable
        return id

    def queue_issued(
        self, record: ExchangeRecord, durable: "asyncio.Future[None]"
    ) -> str:
        """Queue the audit record of an issued token.

        Args:
            durable: Completed once the record is on disk, or failed with `NotRecorded`.

        Returns:
            Id of the resulting event.

        Raises:
            NotRecorded: It cannot be queued.
        """
        self.check_recordable(record.agent)
        told = self._add_sequence_and_time(record)
        self.journal.append(
            told,
            record.agent,
            RecordTicket(told.id, told.sequence, record.agent, False, durable),
        )
        self.counted[record.what, ""] += 1
        return told.id

    def record_refused(self, record: ExchangeRecord) -> None:
        """Record a refused attempt, or only count it above the rate."""
        self.counted[record.what, record.error] += 1
        most = MAX_PER_ISSUER if record.issuer else MAX_ANONYMOUS
        has_own = self._gets_own_record(record.issuer, most)
        if has_own and not self.journal.find_recording_obstacle(record.agent):
            self.journal.append(self._add_sequence_and_time(record), record.agent)
        else:
            self._count_refusal(record.reason or record.error, record.agent)

    def _add_sequence_and_time(self, record: ExchangeRecord) -> ExchangeRecord:
        """Return the record with its sequence number, time and id."""
        sequence, at = self.journal.next_record_number()
        key = build_event_id(at, STS, self.journal.name, b"%d" % sequence).hex()
        return replace(record, sequence=sequence, at=at, id=key)
