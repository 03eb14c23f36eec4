"""Parse CloudTrail timestamps to nanoseconds since the Unix epoch, UTC."""

from datetime import UTC, datetime, timedelta

import re2

from answerable.model.time_units import EPOCH

_MICRO = timedelta(microseconds=1)
_LIMIT = 1 << 62
_MONTHS = [
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
]
# `Jul 10, 2023, 12:47:00 PM`; newer writers put a narrow space before PM.
_TEXT_FORMAT = re2.compile(
    r"([A-Za-z]{3})[a-z]* (\d{1,2}), (\d{4}),? "
    r"(\d{1,2}):(\d\d):(\d\d)[\s\x{202f}\x{a0}]*([AaPp])[Mm]"
)
_MAX_CACHED = 5_000
_cache: dict[str, int] = {}


def parse_instant(text: str) -> int:
    """Parse an ISO 8601 time; without an offset it is UTC, as CloudTrail defines.

    Raises:
        ValueError: It is not a time, or before 1970.
    """
    known = _cache.get(text)
    if known is not None:
        return known
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    nanoseconds = (when - EPOCH) // _MICRO * 1000
    if not 0 <= nanoseconds < _LIMIT:
        raise ValueError("a time before 1970")
    if len(_cache) >= _MAX_CACHED:
        _cache.clear()
    _cache[text] = nanoseconds
    return nanoseconds


def parse_expiry(text: str) -> int:
    """Parse the expiry of an STS answer in either format, 0 if invalid."""
    spelled = _TEXT_FORMAT.fullmatch(text)
    try:
        if not spelled:
            return parse_instant(text) if text else 0
        month, day, year, hour, minute, second, half = spelled.groups()
        when = datetime(
            int(year),
            _MONTHS.index(month.lower()) + 1,
            int(day),
            int(hour) % 12 + (12 if half in "Pp" else 0),
            int(minute),
            int(second),
            tzinfo=UTC,
        )
        return max(0, (when - EPOCH) // _MICRO * 1000)
    except ValueError:
        return 0
