"""Partition the rows of a journal into those of segments: by day, then by size."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from operator import attrgetter, itemgetter

from answerable.evidence.canonical_event import SealFields, decode_seal_fields
from answerable.evidence.journal_format import JournalContents
from answerable.model.encoded_event import EncodedEvents, SealingFields
from answerable.model.event import EVENT_SCHEMA
from answerable.model.time_units import DAY_NS

MAX_SEGMENT_ROWS = 50_000
_DECODED_ROWS = 500
_get_event_time, _get_schema = attrgetter("event_time"), attrgetter("schema")
_get_row = itemgetter(2)


class SegmentRows:
    """Rows of a journal that become one segment, with what its manifest says of them.

    Attributes:
        day: Their day, since 1970.
        number: Number of the segment among those of the day.
        count: Number of rows.
        first: Earliest event time, UTC nanoseconds.
        last: Latest event time.
        schemas: Versions of their schema.
        statistics: Their statistics.
    """

    def __init__(self, day: int, number: int) -> None:
        from answerable.store.segment_statistics import StatisticsCollector

        self.day, self.number = day, number
        self.count = self.first = self.last = 0
        self.schemas: set[int | str] = set()
        self.statistics = StatisticsCollector(day)
        self._rows: dict[str, list[tuple[int, bytes, int]]] = defaultdict(list)

    def add(
        self, rows: Sequence[int], briefs: Sequence[SealFields], times: Sequence[int]
    ) -> None:
        """Add rows of the day: their places in the journal, fields and times."""
        self._count_times(times)
        self.schemas.update(map(_get_schema, briefs))
        self.statistics.add(briefs)
        for row, brief, time in zip(rows, briefs, times, strict=True):
            event_id = bytes.fromhex(brief.event_id)
            self._rows[brief.identity].append((time, event_id, row))

    def add_fields(
        self, rows: range, events: EncodedEvents, fields: SealingFields
    ) -> None:
        """Add rows of the day whose fields are known: their places in the journal."""
        times = events.event_times[rows.start : rows.stop]
        event_ids = events.event_ids[rows.start : rows.stop]
        self._count_times(times)
        self.schemas.add(EVENT_SCHEMA)
        self.statistics.add_fields(fields)
        groups = [self._rows[identity] for identity in fields.values[0]]
        for place, row in zip(
            fields.identities, zip(times, event_ids, rows, strict=True), strict=True
        ):
            groups[place].append(row)

    def _count_times(self, times: Sequence[int]) -> None:
        """Count rows with these times."""
        first, last = min(times), max(times)
        self.first = min(self.first, first) if self.count else first
        self.last = max(self.last, last) if self.count else last
        self.count += len(times)

    def list_times(self) -> Iterator[tuple[int, int]]:
        """Yield each row with its event time."""
        for rows in self._rows.values():
            for time, _, row in rows:
                yield row, time

    def sort_rows(self) -> list[int]:
        """Return the rows by identity, time and id; equal ones keep their order.

        Code points sort as UTF-8 does. The rows of one identity are nearly sorted,
        since a log is in the order of time.
        """
        found: list[int] = []
        for _, rows in sorted(self._rows.items()):
            rows.sort()
            found += map(_get_row, rows)
        return found


def partition_rows(journal: JournalContents, skipped: set[int]) -> list[SegmentRows]:
    """Partition the rows of a journal by day and then by size."""
    days = _Days()
    events = journal.events or EncodedEvents(fields=[(len(journal.records), None)])
    end = 0
    for count, fields in events.fields:
        rows = range(end, end := end + count)
        if fields is not None and not skipped:
            part = days.get_part(fields.day)
            if part.count + count <= MAX_SEGMENT_ROWS:
                part.add_fields(rows, events, fields)
                continue
        # Few records are decoded at a time, and little of them is kept: what was
        # decoded is still in the processor's cache when it is used.
        for start in range(rows.start, rows.stop, _DECODED_ROWS):
            some = rows[start - rows.start : start - rows.start + _DECODED_ROWS]
            days.add_records(
                [row for row in some if row not in skipped], journal.records
            )
    return days.list_parts()


class _Days:
    """Rows of a journal by day, in parts of the size of a segment."""

    def __init__(self) -> None:
        self._parts: dict[int, list[SegmentRows]] = defaultdict(list)

    def get_part(self, day: int) -> SegmentRows:
        """Return the last part of a day; a new one if it is full."""
        parts = self._parts[day]
        if not parts or parts[-1].count == MAX_SEGMENT_ROWS:
            parts.append(SegmentRows(day, len(parts)))
        return parts[-1]

    def add_records(self, rows: Sequence[int], records: Sequence[bytes]) -> None:
        """Decode the records of rows, and add the rows to their days."""
        briefs = [decode_seal_fields(records[row]) for row in rows]
        times = list(map(int, map(_get_event_time, briefs)))
        days = [time // DAY_NS for time in times]
        for day in sorted(set(days)):
            of_day = [at for at, each in enumerate(days) if each == day]
            while of_day:
                part = self.get_part(day)
                room = MAX_SEGMENT_ROWS - part.count
                taken, of_day = of_day[:room], of_day[room:]
                part.add(
                    [rows[at] for at in taken],
                    [briefs[at] for at in taken],
                    [times[at] for at in taken],
                )

    def list_parts(self) -> list[SegmentRows]:
        """List the parts, by day."""
        return [part for _, parts in sorted(self._parts.items()) for part in parts]
