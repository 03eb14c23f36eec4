"""Describe logs whose clocks differ, for `doctor`."""

from collections.abc import Iterator

from answerable.model.time_units import SECOND_NS
from answerable.presentation.relative_time import format_span
from answerable.store.clock_differences import ClockDifference, find_clock_differences
from answerable.store.store import EvidenceStore


def describe_clock_differences(store: EvidenceStore) -> Iterator[tuple[str, str]]:
    """Yield the log and the description of each difference between clocks."""
    for each in find_clock_differences(store):
        yield each.source, _describe_difference(each)


def _describe_difference(found: ClockDifference) -> str:
    """Describe one difference."""
    most = format_span(found.most // SECOND_NS)
    if not found.other:
        later = f"up to {most} later than"
        events = (
            f"1 event is {later} its ingest"
            if found.events == 1
            else f"{found.events:,} events are {later} their ingest"
        )
        return f"{events}: the clock of the log is ahead, or this machine's was behind"
    recorded = "this log" if found.other == found.source else found.other
    events = "1 event uses" if found.events == 1 else f"{found.events:,} events use"
    return (
        f"{events} a credential up to {most} before the record of "
        f"{recorded} that issues it: the clocks differ by that time, and the chains of "
        "such events are incomplete"
    )
