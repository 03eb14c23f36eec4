"""Events of a lake, read in place and queried with the events of a store."""

from dataclasses import dataclass, replace

from answerable.connectors.cloudtrail.declaration import DECLARATION
from answerable.connectors.cloudtrail.lake import read_lake
from answerable.connectors.cloudtrail.lake_tables import LakeWindow
from answerable.model.documents.shared_shapes import (
    CoverageSourceItem,
    Document,
    InPlaceItem,
)
from answerable.model.errors import UsageError
from answerable.model.time_units import HOUR_NS
from answerable.presentation.answer_coverage import format_problem, format_time
from answerable.store.foreign_events import (
    ForeignEvents,
    find_stored_event_ids,
    read_foreign_events,
)
from answerable.store.store import EvidenceStore

PREFIX = "lake:"
# The longest life of a session (GetSessionToken): events issue credentials this long
# before they are used. https://docs.aws.amazon.com/STS/latest/APIReference/API_GetSessionToken.html
_LONGEST_SESSION = 36 * HOUR_NS
_MAX_PROBLEMS = 20


@dataclass(frozen=True, slots=True)
class LakeReading:
    """Result of reading a lake for one command.

    Attributes:
        location: As the user named it.
        events: Events that the answer may contain.
        earlier: Those of them before the question, which may issue credentials.
        stored: Events that the store has sealed itself; these are not read twice.
        duplicates: Rows that repeat an event; it is read once.
        conflicts: Ids of events that have rows with different content, at most 1,000.
        skipped: Rows that are no API calls of CloudTrail.
        problems: Rows that could not be read.
        since: Start of the time that was read, UTC nanoseconds, 0 for all.
        until: Its end, 0 for all.
    """

    location: str
    events: int
    earlier: int
    stored: int
    duplicates: int
    conflicts: tuple[str, ...]
    skipped: int
    problems: tuple[str, ...]
    since: int
    until: int


def read_lake_events(
    store: EvidenceStore, lake: str, *, since: int, until: int, now: int
) -> LakeReading:
    """Read a lake for the queries of a store; nothing of it enters the store.

    Args:
        lake: `lake:s3://BUCKET/PREFIX`, or `lake:FOLDER`.
        since: Start of the question, UTC nanoseconds, 0 for all. Earlier events are
            read as far as a session lasts, since they issue credentials.
        until: Its end, 0 for all.
        now: UTC nanoseconds.

    Raises:
        UsageError: The location does not exist, or holds no table of CloudTrail.
        EnvironmentFailure: It cannot be read.
    """
    location = lake.removeprefix(PREFIX)
    if not location:
        raise UsageError(
            f"the lake has no location (got {lake!r}, expected lake:PLACE)",
            "name s3://BUCKET/PREFIX, or a folder",
        )
    window = LakeWindow(max(since - _LONGEST_SESSION, 0) if since else 0, until)
    foreign = ForeignEvents(since)
    counts = {"stored": 0, "skipped": 0}
    problems: list[str] = []
    try:
        for batch in read_lake(location, window):
            known = find_stored_event_ids(store, DECLARATION.name, batch.events)
            foreign.add(
                [e for e in batch.events if e.event_id not in known],
                now,
                batch.table_format,
            )
            counts["stored"] += len(known)
            counts["skipped"] += len(batch.skipped)
            problems += map(format_problem, batch.problems)
        foreign.finish()
    except BaseException:
        foreign.close()
        raise
    read_foreign_events(store, foreign)
    return LakeReading(
        location=PREFIX + location,
        events=foreign.count,
        earlier=foreign.earlier,
        duplicates=foreign.duplicates,
        conflicts=tuple(foreign.conflicts),
        stored=counts["stored"],
        skipped=counts["skipped"],
        problems=tuple(problems),
        since=window.since,
        until=window.until,
    )


def add_lake_coverage(document: Document, reading: LakeReading, now: int) -> Document:
    """Mark in an answer the events that no store has sealed."""
    item: InPlaceItem = {
        "source": reading.location,
        "events": reading.events,
        "earlier": reading.earlier,
        "stored": reading.stored,
        "duplicates": reading.duplicates,
        "skipped": reading.skipped,
        "since": format_time(reading.since) if reading.since else "",
        "until": format_time(reading.until) if reading.until else "",
        "proof": "not proven by this store",
    }
    covered = document.coverage
    problems = list(reading.problems[:_MAX_PROBLEMS])
    source: CoverageSourceItem = {
        "source": reading.location,
        "at": format_time(now),
        "age_s": 0,
        "problems": problems,
    }
    seen, missing = covered["seen"], covered["not_collected"]
    if reading.events > reading.earlier or reading.stored:
        seen = sorted({*seen, DECLARATION.name})
        missing = [each for each in missing if each != DECLARATION.name]
    if conflicts := sorted({*covered.get("conflicts", ()), *reading.conflicts}):
        covered = {**covered, "conflicts": conflicts}
    return replace(
        document,
        coverage={
            **covered,
            "seen": seen,
            "not_collected": missing,
            "partial": covered["partial"] or bool(problems),
            "sources": [*covered["sources"], source],
            "in_place": [item],
        },
    )
