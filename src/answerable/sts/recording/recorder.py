"""The recorder of one process: every attempt a record, durable before its answer.

An attempt that was refused leaves a record, too, up to a number a second of nobody's
attempts, and of a single issuer's. What was not recorded was not given, so no record has
to say that.
"""

import asyncio

from msgspec.structs import replace

from answerable.model.ids import event_id
from answerable.model.record import STS, STS_PREFIX, Exchanged
from answerable.serving.recording.recorder import DoorRecorder
from answerable.serving.recording.ticket import NotRecorded, Ticket

# Refused attempts a second that leave a record of their own, by whom they are of.
OF_NOBODY = 50
OF_AN_ISSUER = 200


class Recorder(DoorRecorder):
    """Records what one process gives and refuses."""

    prefix = STS_PREFIX

    def check(self, agent: str = "") -> None:
        """See that something can be recorded: what cannot be is not begun.

        Raises:
            NotRecorded: It cannot; that is counted.
        """
        if why := self.journal.obstacle(agent):
            self.unrecorded += 1
            raise NotRecorded(why)

    async def given(self, record: Exchanged) -> str:
        """Record that something was given; it is on disk when this returns.

        Returns:
            Id of the event that it becomes.

        Raises:
            NotRecorded: It is not, so nothing may be given.
        """
        durable = self.journal.loop.create_future()
        id = self.give(record, durable)
        await durable
        return id

    def give(self, record: Exchanged, durable: "asyncio.Future[None]") -> str:
        """Have it recorded that something was given.

        Args:
            record: Of that.
            durable: Done once it is on disk; it fails with `NotRecorded`.

        Returns:
            Id of the event that it becomes.

        Raises:
            NotRecorded: It cannot be recorded.
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
        """Record that something was refused; or count it, where there are too many."""
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
