"""Track a recorded decision: its call proceeds once the record is on disk."""

import asyncio

from answerable.model.errors import AnswerableError


class NotRecorded(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """Decision that could not be recorded, so its call does not happen.

    Args:
        why: `disk`, `spool-full` or `agent-quota`.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the decision was not recorded: {why}")
        self.why = why


class RecordTicket:
    """Decision that was recorded, or is about to be.

    Attributes:
        id: Decision id, 32 hex digits, which a denied caller gets. Empty until the
            record is encoded.
        sequence: Number of the record.
        agent: Agent of the caller.
        passes: The call is forwarded, and its end must be recorded.
        durable: Completed once the record is on disk, or failed with `NotRecorded`;
            None for a record of the buffered class.
        at: Time of the record, UTC nanoseconds; 0 where unused.
    """

    __slots__ = ("agent", "at", "durable", "id", "passes", "sequence")

    def __init__(
        self,
        id: str,
        sequence: int,
        agent: str,
        passes: bool,
        durable: asyncio.Future[None] | None,
        at: int = 0,
    ) -> None:
        self.id = id
        self.sequence = sequence
        self.at = at
        self.agent = agent
        self.passes = passes
        self.durable = durable
