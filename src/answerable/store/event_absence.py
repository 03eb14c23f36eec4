"""Explain why events that were named before are not in a store."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum

from answerable.evidence.log_entries import SegmentManifest, SegmentState


class AbsenceCause(StrEnum):
    """Cause of the absence of an event, as far as the log tells."""

    REMOVED = "removed"  # by retention
    ERASED = "erased"
    UNREADABLE = "unreadable"
    NOT_KNOWN = "not-known"


@dataclass(frozen=True, slots=True)
class EventAbsence:
    """Absence of one event.

    Attributes:
        event_id: Id of the event.
        cause: The cause.
        segment: Segment that has or had the event, as far as the log tells.
        day: Day of that segment.
    """

    event_id: bytes
    cause: AbsenceCause
    segment: str = ""
    day: str = ""

    @property
    def description(self) -> str:
        """Describe the cause in a part of a sentence."""
        match self.cause:
            case AbsenceCause.REMOVED:
                return f"removed by retention ({self.day})"
            case AbsenceCause.ERASED:
                return f"erased ({self.day})"
            case AbsenceCause.UNREADABLE:
                return f"unreadable: the segment {self.segment} is missing or damaged"
            case AbsenceCause.NOT_KNOWN:
                return "not in the store; the cause is not known"


def explain_absence(
    event_id: bytes, states: Iterable[SegmentState], unreadable: Collection[str]
) -> EventAbsence:
    """Explain the absence of an event that no readable segment has.

    Args:
        event_id: Id of the event.
        states: All segments of the log.
        unreadable: Names of the live segments that cannot be read.
    """
    around = [each for each in states if select_ids(each.manifest, [event_id])]
    for each in around:
        if each.live is not None and each.live.segment in unreadable:
            live = each.live
            return EventAbsence(
                event_id, AbsenceCause.UNREADABLE, live.segment, live.day
            )
    for each in around:
        if each.removal is not None:
            erased = each.removal.cause == "erasure"
            cause = AbsenceCause.ERASED if erased else AbsenceCause.REMOVED
            where = each.manifest
            return EventAbsence(event_id, cause, where.segment, where.day)
    return EventAbsence(event_id, AbsenceCause.NOT_KNOWN)


def select_ids(manifest: SegmentManifest, event_ids: Sequence[bytes]) -> list[bytes]:
    """Select the event ids whose times are in a segment.

    An id starts with its time in milliseconds, so most segments are ruled out.
    """
    low, high = int(manifest.min_time) // 10**6, int(manifest.max_time) // 10**6
    return [w for w in event_ids if low <= int.from_bytes(w[:6], "big") <= high]
