"""Find logs whose clocks differ: from this machine's, or from that of another log."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, cast

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore

# Clocks that differ by less are usual; a credential is valid for so long beyond its ends.
CLOCK_TOLERANCE = 300 * 10**9  # nanoseconds


@dataclass(frozen=True, slots=True)
class ClockDifference:
    """Events of a log that are too early or too late for one clock.

    Attributes:
        source: Log of the events.
        other: Log that recorded the issuance of their credentials later; empty if the
            events are later than their own ingest.
        events: Number of such events.
        most: Largest difference, nanoseconds.
    """

    source: str
    other: str
    events: int
    most: int


def find_clock_differences(store: "EvidenceStore") -> list[ClockDifference]:
    """Find events after their ingest, and uses of credentials before their issuance.

    Self-reported events are left out: their writer chose the time.
    """
    later = store.run_query(
        "SELECT source, '', count(*), max(event_time - ingest_time) FROM events "
        "WHERE written_by <> 'self-reported' AND event_time > ingest_time + ? "
        "GROUP BY source ORDER BY source",
        [CLOCK_TOLERANCE],
    )
    earlier = store.run_query(
        "WITH issuances AS (SELECT issued, min(event_time) AS at, "
        "arg_min(source, event_time) AS source FROM events "
        "WHERE issued <> '' AND written_by <> 'self-reported' GROUP BY issued) "
        "SELECT e.source, i.source, count(*), max(i.at - e.event_time) "
        "FROM skimmed e JOIN issuances i ON e.credential = i.issued "
        "WHERE e.written_by <> 'self-reported' AND e.event_time < i.at - ? "
        "GROUP BY ALL ORDER BY ALL",
        [CLOCK_TOLERANCE],
    )
    return [
        ClockDifference(
            cast("str", source), cast("str", other), cast("int", n), cast("int", most)
        )
        for source, other, n, most in (*later, *earlier)
    ]
