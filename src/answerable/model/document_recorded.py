"""What a coverage record says of the days of a trail. See docs/cli.md."""

from typing import TypedDict


class SpanItem(TypedDict):
    """Days from one to another, both included (RFC 3339 dates, UTC)."""

    first: str
    last: str


class RegionDaysItem(TypedDict):
    """Days of one region between its first event and its last."""

    region: str
    first: str
    last: str
    days: int
    days_without: int


class RecordedItem(TypedDict):
    """Days of one account's trail between its first event and its last.

    `days` have events; on `days_without`, which `gaps` list, there is none.
    """

    account: str
    first: str
    last: str
    days: int
    days_without: int
    gaps: list[SpanItem]
    regions: list[RegionDaysItem]
