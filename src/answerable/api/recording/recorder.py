"""The recorder of one decision point: every evaluation a record, before its answer.

What is enforced elsewhere ends elsewhere: of a call that may go on, the end that is
recorded says that it may have happened or not.
"""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path

from answerable.model.caller import Caller
from answerable.model.config import Limits
from answerable.model.decision import Decision, Durability
from answerable.model.ids import event_id
from answerable.model.record import (
    PDP,
    PDP_PREFIX,
    Act,
    Decided,
    End,
    Ended,
    Ending,
    Kill,
    Refusals,
)
from answerable.serving.recording.journal import Journal
from answerable.serving.recording.ticket import NotRecorded, Ticket
from answerable.serving.recording.turned_away import TurnedAway

SECOND = 1.0


class Recorder:
    """Records what one decision point answers.

    Args:
        spool: Folder of all recorders' folders.
        loop: Its event loop.
        limits: Of the spool.
        clock: Gives UTC nanoseconds.

    Attributes:
        journal: Where records go.
        unrecorded: Evaluations that were denied for want of a record, since the start.
        counted: Evaluations by (effect, whether the call may go on), since the start.
        away: Requests turned away before an evaluation, by reason, since the start.

    Raises:
        EnvironmentRefused: The spool cannot be written.
    """

    def __init__(
        self,
        spool: Path,
        loop: asyncio.AbstractEventLoop,
        limits: Limits,
        clock: Callable[[], int] = time.time_ns,
    ) -> None:
        self.journal = Journal(
            spool,
            0,
            loop,
            self._withheld,
            most=limits.spool,
            most_per_agent=limits.spool_per_agent,
            clock=clock,
            prefix=PDP_PREFIX,
        )
        self.unrecorded = 0
        self.counted: Counter[tuple[str, bool]] = Counter()
        self.away: Counter[str] = Counter()
        self._alike = TurnedAway()
        self._timer: asyncio.TimerHandle | None = None

    @property
    def alarm(self) -> str:
        """What the disk refuses at present, empty where it takes everything."""
        stalls = "the disk does not answer" if self.journal.is_behind else ""
        return self.journal.alarm or stalls

    async def decided(self, caller: Caller, act: Act, decision: Decision) -> str:
        """Record a decision; one of the durable class is on disk when this returns.

        Returns:
            Its id.

        Raises:
            NotRecorded: It cannot be kept: then the answer is no.
        """
        journal, agent = self.journal, caller.agent
        if why := journal.obstacle(agent):
            self.unrecorded += 1
            self.refused(f"unrecorded-{why}", agent)
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
        self.counted[decision.effect.value, decision.passes] += 1
        return key

    def refused(self, why: str, agent: str = "") -> None:
        """Count a request that was turned away before an evaluation."""
        self.away[why] += 1
        self._alike.count(why, agent, "", "")
        if self._timer is None:
            self._timer = self.journal.loop.call_later(SECOND, self._tell)

    def killed(self, subject: str, *, revived: bool) -> None:
        """Record a kill that took hold here, or was taken back."""
        if not self.journal.closed:
            kill = Kill(*self.journal.next(), subject, revived)
            self.journal.put(kill, at_once=True)

    def close(self) -> None:
        """Write what is left, and end; it blocks while the disk works."""
        if self._timer is not None:
            self._timer.cancel()
        self._record_counts()  # however full the spool is: they are few
        self.journal.close()

    def _end(self, ticket: Ticket, ending: Ending) -> None:
        if not ticket.passes:
            return
        ticket.passes = False
        end = Ended(*self.journal.next(), ticket.sequence, End(ending))
        self.journal.put(end, ticket.agent)

    def _withheld(self, ticket: Ticket) -> None:
        self._end(ticket, Ending.WITHHELD)

    def _tell(self) -> None:
        """Record the counts, once there is a disk and room to record them."""
        self._timer = None
        if self.journal.obstacle(""):
            self._timer = self.journal.loop.call_later(SECOND, self._tell)
            return
        self._record_counts()

    def _record_counts(self) -> None:
        for alike, count in self._alike.take().items():
            why, agent, _, _ = alike
            refusals = Refusals(*self.journal.next(), why, count, agent)
            self.journal.put(refusals, agent)
