"""Collect the fields of new events that sealing reads, so that it decodes no record."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import fields
from itertools import groupby
from typing import Any

from answerable.model.encoded_event import VALUE_COLUMNS, SealingFields
from answerable.model.event import EVENT_SCHEMA, AuditEvent
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS

_NAMES = [each.name for each in fields(AuditEvent)]
_TIME, _SOURCE, _SCOPE, _WRITTEN_BY, _ACTION, _FACTS, _SCHEMA = map(
    _NAMES.index,
    ("event_time", "source", "scope", "written_by", "action", "facts", "schema"),
)
_MIN_EVENTS_OF_DAY = 50  # on average: fewer are decoded as fast
_VALUES = tuple(map(_NAMES.index, VALUE_COLUMNS))


def collect_sealing_fields(
    columns: Sequence[Sequence[Any]],
) -> list[tuple[int, SealingFields | None]]:
    """Collect the fields of events, given as columns of the first fields of `AuditEvent`.

    Returns:
        The fields of so many events of one day at a time; None for events of another
        schema, with repeated facts, or of many days, whose records must be decoded.
    """
    times = columns[_TIME]
    if min(times) // DAY_NS == max(times) // DAY_NS:
        return [(len(times), _collect_fields_of_day(columns))]
    counts = [len(list(run)) for _, run in groupby(time // DAY_NS for time in times)]
    if len(counts) > len(times) // _MIN_EVENTS_OF_DAY:
        return [(len(times), None)]
    found: list[tuple[int, SealingFields | None]] = []
    end = 0
    for count in counts:
        part = slice(end, end := end + count)
        of_day = [column[part] for column in columns]
        found.append((count, _collect_fields_of_day(of_day)))
    return found


def _collect_fields_of_day(columns: Sequence[Sequence[Any]]) -> SealingFields | None:
    """Collect the fields of events of one day."""
    width, times = len(columns), columns[_TIME]
    day = times[0] // DAY_NS
    if width > _SCHEMA and set(columns[_SCHEMA]) != {EVENT_SCHEMA}:
        return None
    pairs = columns[_FACTS] if width > _FACTS else ((),) * len(times)
    facts = list(map(dict, pairs))
    if list(map(len, facts)) != list(map(len, pairs)):
        return None
    values = [list(set(columns[at])) if at < width else [""] for at in _VALUES]
    identities = columns[_VALUES[0]] if width > _VALUES[0] else ("",) * len(times)
    place = {identity: number for number, identity in enumerate(values[0])}
    kinds = set(
        zip(
            columns[_WRITTEN_BY],
            columns[_SOURCE],
            columns[_SCOPE],
            columns[_ACTION],
            [each.get("region", "") for each in facts],
            [each.get("category") for each in facts],
            strict=True,
        )
    )
    return SealingFields(
        day,
        list(map(place.__getitem__, identities)),
        dict(Counter(columns[_SOURCE])),
        values,
        list(
            {
                (
                    source,
                    scope,
                    region,
                    action.partition(":")[0] if category == "Data" else "",
                )
                for written_by, source, scope, action, region, category in kinds
                if written_by != WrittenBy.SELF_REPORTED
            }
        ),
        any(each.get("console") == "true" for each in facts),
    )
