"""Days with events of an audit log, and the gaps between them.

A file that was not ingested leaves only a gap. A day without events of an account does
not prove that a file is missing, but the activity of that day is not known.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

from answerable.model.documents.logged_days import (
    RecordedItem,
    RegionDaysItem,
    SpanItem,
)

_EPOCH = date(1970, 1, 1)


def recorded_item(account: str, days: Mapping[str, Collection[int]]) -> RecordedItem:
    """Build the item of the recorded days of one account.

    Args:
        days: By region, days since 1970 with an event; at least one.
    """
    whole = sorted({day for of_region in days.values() for day in of_region})
    return {
        "account": account,
        "first": _spelled(whole[0]),
        "last": _spelled(whole[-1]),
        "days": len(whole),
        "days_without": _without(whole),
        "gaps": list(_gaps(whole)),
        "regions": [_region(name, sorted(of)) for name, of in sorted(days.items())],
    }


def _region(name: str, days: list[int]) -> RegionDaysItem:
    return {
        "region": name,
        "first": _spelled(days[0]),
        "last": _spelled(days[-1]),
        "days": len(days),
        "days_without": _without(days),
    }


def _without(days: list[int]) -> int:
    return days[-1] - days[0] + 1 - len(days)


def _gaps(days: list[int]) -> Iterator[SpanItem]:
    for before, after in pairwise(days):
        if after - before > 1:
            yield {"first": _spelled(before + 1), "last": _spelled(after - 1)}


def _spelled(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()
