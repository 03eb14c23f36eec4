"""Timestamps in RFC 3339."""

from datetime import UTC, datetime, timedelta

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST_SECOND = 253_402_300_799  # last second of the year 9999


def format_time(time_ns: int) -> str:
    """Format UTC nanoseconds as RFC 3339, to the second."""
    moment = _EPOCH + timedelta(seconds=min(time_ns // 1_000_000_000, _LAST_SECOND))
    return f"{moment.isoformat()[:19]}Z"  # far quicker than `strftime`


def format_optional_time(time_ns: int) -> str | None:
    """Format a time; None for 0 (not known)."""
    return format_time(time_ns) if time_ns else None
