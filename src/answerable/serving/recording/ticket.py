"""What a door holds between a decision and its end."""

import asyncio

from answerable.model.errors import AnswerableError


class NotRecorded(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """A decision could not be recorded, so its call does not happen.

    Args:
        why: `disk`, `spool-full` or `agent-quota`.
    """

    def __init__(self, why: str) -> None:
        super().__init__(f"the decision was not recorded: {why}")
        self.why = why


class Ticket:
    """A decision that was recorded, or is about to be.

    Attributes:
        id: Decision id, 32 hex digits: what a refused caller is told. Empty until the
            record is put together.
        sequence: Its number.
        agent: Whose.
        passes: The call goes on, so that an end is owed.
        durable: Done once the record is on disk, or failed with `NotRecorded`; None for
            a record of the buffered class.
        at: When it was recorded, UTC nanoseconds; 0 where nobody asks.
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
