"""Parse times and durations: `7d`, `2026-11-02`, `2026-11-02T10:00:00Z`."""

import re
from dataclasses import dataclass
from datetime import UTC, datetime

from answerable.model.errors import UsageError
from answerable.model.time_units import SECOND_NS

_AGO = re.compile(r"([0-9]{1,6})\s*(s|m|h|d|w)")
_UNITS = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}


@dataclass(frozen=True, slots=True)
class TimeWindow:
    """Time window.

    Attributes:
        since: UTC nanoseconds, inclusive, 0 for the beginning.
        until: UTC nanoseconds, exclusive.
    """

    since: int
    until: int


def parse_window(text: str, now: int, option: str = "--compare") -> TimeWindow:
    """Parse `A..B` as a time window; an empty A is the beginning.

    Raises:
        UsageError: It is malformed or empty.
    """
    first, dots, last = text.partition("..")
    if not dots or not last.strip():
        raise UsageError(
            f"invalid window for {option} (got {text[:80]!r}, expected A..B)",
            f"for example: {option} 14d..7d",
        )
    since = parse_time(first, now, option) if first.strip() else 0
    until = parse_time(last, now, option)
    if since >= until:
        raise UsageError(
            f"the window of {option} is empty (got {text[:80]!r}, expected A before B)",
            f"for example: {option} 14d..7d",
        )
    return TimeWindow(since, until)


def parse_time(text: str, now: int, option: str) -> int:
    """Parse a time as UTC nanoseconds; a time without a zone is UTC.

    Args:
        text: A span before now, a date, or an RFC 3339 time.
        now: UTC nanoseconds.
        option: Name of the option, for the message.

    Raises:
        UsageError: It is malformed.
    """
    bare = text.strip().lower()
    if bare == "now":
        return now
    ago = _AGO.fullmatch(bare)
    if ago:
        return now - int(ago[1]) * _UNITS[ago[2]] * SECOND_NS
    try:
        at = datetime.fromisoformat(text.strip())
    except ValueError:
        raise UsageError(
            f"invalid time for {option} (got {text!r}, expected 7d, 2026-11-02 or "
            "2026-11-02T10:00:00Z)",
            "write a duration before now with s, m, h, d or w; a time without a "
            "zone is UTC",
        ) from None
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    return int(at.timestamp()) * SECOND_NS + at.microsecond * 1_000


def parse_span(text: str, option: str, max_span: int) -> int:
    """Parse a duration like `30m` as nanoseconds.

    Args:
        text: A number and s, m, h, d or w.
        option: Name of the option, for the message.
        max_span: Longest allowed span, nanoseconds.

    Raises:
        UsageError: It is malformed, zero, or too long.
    """
    read = _AGO.fullmatch(text.strip().lower())
    length = int(read[1]) * _UNITS[read[2]] * SECOND_NS if read else 0
    if not 0 < length <= max_span:
        raise UsageError(
            f"invalid duration for {option} (got {text[:80]!r}, expected e.g. 30m "
            f"or 8h, at most {max_span // SECOND_NS // 3600}h)",
            "write a duration with s, m, h, d or w",
        )
    return length
