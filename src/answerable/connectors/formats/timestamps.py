"""Parse CloudTrail timestamps to nanoseconds since the Unix epoch, UTC."""

from datetime import UTC, datetime, timedelta

import re2

from answerable.model.time_units import EPOCH, SECOND_NS

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
# A time in UTC with seconds is the sum of its minute, which is cached, and of them. One
# with milliseconds or microseconds is the sum of its parts: the start of the day is cached,
# and the unit of the fraction follows from the length. Of finer fractions the digits after
# the sixth are cut off.
_FRACTION_UNITS = {
    len("2026-11-30T12:00:00Z"): 0,
    len("2026-11-30T12:00:00.000Z"): SECOND_NS // 10**3,
    len("2026-11-30T12:00:00.000000Z"): SECOND_NS // 10**6,
    len("2026-11-30T12:00:00.0000000Z"): SECOND_NS // 10**6,
    len("2026-11-30T12:00:00.000000000Z"): SECOND_NS // 10**6,
}
_MINUTES = {f"{n // 60:02}:{n % 60:02}": n * 60 * SECOND_NS for n in range(24 * 60)}
_SECONDS = {f":{second:02}": second * SECOND_NS for second in range(60)}
_WHOLE_SECONDS = {f"{second:02}Z": second * SECOND_NS for second in range(60)}
_DAY_NS = 24 * 60 * 60 * SECOND_NS
_SHORTEST = len("20261130T120000")
_MAX_CACHED = 5_000
_days: dict[str, int] = {}  # by the date and its separator
_minutes: dict[str, int] = {}  # by a time without its seconds
_cache: dict[str, int] = {}  # times in other forms
# Midnight by the date of an expiry, and hours by the half of the day.
_midnights: dict[str, int] = {}
_HALVES = {"AM": 0, "PM": 12}


def parse_instant(text: str) -> int:
    """Parse an ISO 8601 time; without an offset it is UTC, as CloudTrail defines.

    Raises:
        ValueError: It is not a time, a date alone, or before 1970.
    """
    unit = _FRACTION_UNITS.get(len(text))
    if unit == 0:
        try:
            return _minutes[text[:17]] + _WHOLE_SECONDS[text[17:]]
        except KeyError:
            pass
    elif unit is not None and text[-1] == "Z":
        try:
            seconds = _MINUTES[text[11:16]] + _SECONDS[text[16:19]]
            digits = text[20:-1]
            if text[19] == "." and digits.isdigit() and digits.isascii():
                return _days[text[:11]] + seconds + int(digits[:6]) * unit
        except KeyError:
            pass
    known = _cache.get(text)
    return _parse_new_instant(text) if known is None else known


def _parse_new_instant(text: str) -> int:
    """Parse a time, and cache the start of its day, or the time itself."""
    if len(text) < _SHORTEST:  # a date alone is no instant
        raise ValueError("not a date with a time")
    when = datetime.fromisoformat(text)
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    nanoseconds = (when - EPOCH) // _MICRO * 1000
    if not 0 <= nanoseconds < _LIMIT:
        raise ValueError("a time before 1970")
    if len(_cache) + len(_days) + len(_minutes) >= _MAX_CACHED:
        _cache.clear()
        _days.clear()
        _minutes.clear()
    if _FRACTION_UNITS.get(len(text)) == 0 and text[17:] in _WHOLE_SECONDS:
        _minutes[text[:17]] = nanoseconds - _WHOLE_SECONDS[text[17:]]
    elif text[-1] == "Z" and text[11:16] in _MINUTES and text[16:19] in _SECONDS:
        _days[text[:11]] = nanoseconds - nanoseconds % _DAY_NS
    else:
        _cache[text] = nanoseconds
    return nanoseconds


def parse_expiry(text: str) -> int:
    """Parse the expiry of an STS answer in either format, 0 if invalid."""
    rest, _, half = text.rpartition(" ")
    date, _, clock = rest.rpartition(" ")
    midnight = _midnights.get(date)
    if midnight is None or half not in _HALVES:
        return _parse_whole_expiry(text, date)
    hour, minute, second = clock[:-6], clock[-5:-3], clock[-2:]
    digits = f"{hour}{minute}{second}"
    if (
        clock[-6:-5] + clock[-3:-2] != "::"
        or not 5 <= len(digits) <= 6
        or not (digits.isascii() and digits.isdigit())
        or minute >= "60"
        or second >= "60"
    ):
        return _parse_whole_expiry(text, date)
    seconds = (int(hour) % 12 + _HALVES[half]) * 3600 + int(minute) * 60 + int(second)
    return midnight + seconds * SECOND_NS


def _parse_whole_expiry(text: str, date: str) -> int:
    """Parse an expiry without the midnight of its date, and keep the midnight."""
    midnight = _parse_expiry_text(f"{date} 12:00:00 AM") if date else 0
    if midnight:
        if len(_midnights) >= _MAX_CACHED:
            _midnights.clear()
        _midnights[date] = midnight
    return _parse_expiry_text(text)


def _parse_expiry_text(text: str) -> int:
    """Parse an expiry in either format, 0 if invalid."""
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
