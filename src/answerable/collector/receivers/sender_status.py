"""Count the deliveries of one sender, and report its state."""

import time
from dataclasses import dataclass, field, replace
from typing import TypedDict

from answerable.collector.receivers.record_writer import DeliveryResult
from answerable.model.collection import LogSender, SourceState
from answerable.model.time_units import SECOND_NS
from answerable.presentation.inventory_items import format_time

_NEVER_LATE = 2**62


class SenderHealth(TypedDict):
    """State of one sender; times are RFC 3339 UTC."""

    source: str
    late: bool
    received_at: str | None
    newest_event_at: str | None
    events: int
    rejected: int


@dataclass(slots=True)
class SenderStatus:
    """Counts of one sender since the start.

    Attributes:
        sender: The sender.
        since: Start of the counts, UTC nanoseconds.
        received_at: Time of the last delivery, UTC nanoseconds; 0 for none.
        newest: Time of the newest event; 0 for none.
        deliveries: Deliveries that were stored.
        events: Events in them, including those that were stored before.
        rejected: Quarantined records.
        invalid: Undecodable bodies.
    """

    sender: LogSender
    since: int = field(default_factory=time.time_ns)
    received_at: int = 0
    newest: int = 0
    deliveries: int = 0
    events: int = 0
    rejected: int = 0
    invalid: int = 0

    def with_sender(self, sender: LogSender) -> "SenderStatus":
        """Return the same counts with other settings of the sender."""
        return replace(self, sender=sender)

    def count(self, result: DeliveryResult) -> None:
        """Count a stored delivery."""
        self.received_at = time.time_ns()
        self.newest = max(self.newest, result.newest)
        self.deliveries += 1
        self.events += result.received
        self.rejected += result.rejected

    def count_invalid(self) -> None:
        """Count an undecodable body."""
        self.invalid += 1

    @property
    def late_after(self) -> int:
        """Return the time after which the sender is late, UTC nanoseconds."""
        if not self.sender.silent_after:
            return _NEVER_LATE
        last = max(self.received_at, self.since)
        return last + self.sender.silent_after * SECOND_NS

    def build_state(self) -> SourceState:
        """Build the state that the coverage of answers contains."""
        return SourceState(
            self.sender.place,
            since=max(self.received_at, self.since),
            late_after=self.late_after,
            succeeded_at=self.received_at,
            newest=self.newest,
        )

    def build_health(self, now: int) -> SenderHealth:
        """Build the state for the readiness page."""
        return {
            "source": self.sender.place,
            "late": now > self.late_after,
            "received_at": format_time(self.received_at) if self.received_at else None,
            "newest_event_at": format_time(self.newest) if self.newest else None,
            "events": self.events,
            "rejected": self.rejected,
        }
