"""List the days on which an audit log has events, and the gaps between them.

A file that was not ingested leaves only a gap. A day without events of an account does
not prove that a file is missing, but the activity of that day is not known.
"""

from collections.abc import Collection, Iterator, Mapping
from datetime import date, timedelta
from itertools import pairwise

from answerable.model.documents.logged_days import (
    DateRangeItem,
    LoggedDaysItem,
    RegionDaysItem,
)

_EPOCH = date(1970, 1, 1)


def build_recorded_item(
    account: str, days: Mapping[str, Collection[int]]
) -> LoggedDaysItem:
    """Build the output on which days of an account the audit log covers.

    Args:
        days: By region, days since 1970 with an event; at least one.
    """
    whole = sorted({day for of_region in days.values() for day in of_region})
    return {
        "account": account,
        "first": _format_day(whole[0]),
        "last": _format_day(whole[-1]),
        "days": len(whole),
        "days_without": _count_missing_days(whole),
        "gaps": list(_list_day_gaps(whole)),
        "regions": [
            _build_region_item(name, sorted(of)) for name, of in sorted(days.items())
        ],
    }


def _build_region_item(name: str, days: list[int]) -> RegionDaysItem:
    """Build the item of one region: first and last day, and days without events."""
    return {
        "region": name,
        "first": _format_day(days[0]),
        "last": _format_day(days[-1]),
        "days": len(days),
        "days_without": _count_missing_days(days),
    }


def _count_missing_days(days: list[int]) -> int:
    """Count the days without events between the first and the last day."""
    return days[-1] - days[0] + 1 - len(days)


def _list_day_gaps(days: list[int]) -> Iterator[DateRangeItem]:
    """List the first and the last day of each gap between days with events."""
    for before, after in pairwise(days):
        if after - before > 1:
            yield {"first": _format_day(before + 1), "last": _format_day(after - 1)}


def _format_day(day: int) -> str:
    """Format a number of days since 1970 as `YYYY-MM-DD`."""
    return (_EPOCH + timedelta(days=day)).isoformat()
