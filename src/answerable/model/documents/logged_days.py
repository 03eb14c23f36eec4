"""JSON output about the days that a CloudTrail trail has logged. See docs/cli.md."""

from typing import TypedDict


class DateRangeItem(TypedDict):
    """Inclusive range of days (RFC 3339 dates, UTC)."""

    first: str
    last: str


class RegionDaysItem(TypedDict):
    """Logged days of a region, from its first to its last event."""

    region: str
    first: str
    last: str
    days: int
    days_without: int


class LoggedDaysItem(TypedDict):
    """Logged days of an account's trail, from its first to its last event.

    `days` counts days with events; `days_without` counts days without, listed in
    `gaps`.
    """

    account: str
    first: str
    last: str
    days: int
    days_without: int
    gaps: list[DateRangeItem]
    regions: list[RegionDaysItem]
