"""Recorder of one process: every attempt is recorded, durably before its answer.

Refused attempts are recorded too, up to a rate for anonymous attempts and per issuer. A
token is never issued without a record.
"""

import asyncio

from msgspec.structs import replace

from answerable.model.ids import event_id
from answerable.model.spool_record import STS, STS_PREFIX, Exchanged
from answerable.server.recording.record_ticket import NotRecorded, Ticket
from answerable.server.recording.server_recorder import DoorRecorder

# Refused attempts a second that leave a record of their own, by whom they are of.
OF_NOBODY = 50
OF_AN_ISSUER = 200


class Recorder(DoorRecorder):
    """Recorder of issued and refused tokens."""

    prefix = STS_PREFIX

    def check(self, agent: str = "") -> None:
        """Check that a record can be written before work begins.

        Raises:
            NotRecorded: It cannot; the failure is counted.
        """
        if why := self.journal.obstacle(agent):
            self.unrecorded += 1
            raise NotRecorded(why)

    async def given(self, record: Exchanged) -> str:
        """Record an issued token and wait until the record is on disk.

        Returns:
            Id of the resulting event.

        Raises:
            NotRecorded: It could not be recorded, so the token must not be issued.
        """
        durable = self.journal.loop.create_future()
        id = self.give(record, durable)
        await durable
        return id

    def give(self, record: Exchanged, durable: "asyncio.Future[None]") -> str:
        """Queue the record of an issued token.

        Args:
            durable: Completed once the record is on disk, or failed with `NotRecorded`.

        Returns:
            Id of the resulting event.

        Raises:
            NotRecorded: It cannot be queued.
        """
        self.check(record.agent)
        told = self._numbered(record)
        self.journal.put(
            told,
            record.agent,
            Ticket(told.id, told.sequence, record.agent, False, durable),
        )
        self.counted[record.what, ""] += 1
        return told.id

    def refused(self, record: Exchanged) -> None:
        """Record a refused attempt, or only count it above the rate."""
        self.counted[record.what, record.error] += 1
        most = OF_AN_ISSUER if record.issuer else OF_NOBODY
        has_own = self._has_own(record.issuer, most)
        if has_own and not self.journal.obstacle(record.agent):
            self.journal.put(self._numbered(record), record.agent)
        else:
            self._count(record.reason or record.error, record.agent)

    def _numbered(self, record: Exchanged) -> Exchanged:
        sequence, at = self.journal.next()
        key = event_id(at, STS, self.journal.name, b"%d" % sequence).hex()
        return replace(record, sequence=sequence, at=at, id=key)
