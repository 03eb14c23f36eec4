"""Times of records: the sum of cached parts is what the standard library parses."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from answerable.connectors.formats.timestamps import parse_instant

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIMES = st.integers(86_400 * 10**6, 4 * 10**15).map(
    lambda number: _EPOCH + timedelta(microseconds=number)
)
_DIGITS = st.sampled_from([0, 1, 3, 6, 7, 9])


def _parse_with_standard_library(text: str) -> int | None:
    try:
        when = datetime.fromisoformat(text)
    except ValueError:
        return None
    if when.tzinfo is None:
        when = when.replace(tzinfo=UTC)
    nanoseconds = (when - _EPOCH) // timedelta(microseconds=1) * 1000
    return nanoseconds if 0 <= nanoseconds < 1 << 62 else None


def _parse(text: str) -> int | None:
    try:
        return parse_instant(text)
    except ValueError:
        return None


def _format(when: datetime, digits: int) -> str:
    fraction = f"{when.microsecond:06}789"[:digits]
    return f"{when:%Y-%m-%dT%H:%M:%S}" + (f".{fraction}Z" if digits else "Z")


@given(_TIMES, _TIMES, _DIGITS)
def test_a_time_on_a_known_day_is_parsed_as_on_a_new_one(
    when: datetime, other: datetime, digits: int
) -> None:
    _parse(_format(datetime.combine(when.date(), other.time()), 0))
    text = _format(when, digits)
    assert parse_instant(text) == _parse_with_standard_library(text)


@given(_TIMES, _DIGITS, st.integers(0, 29), st.sampled_from("0369:.TZ+- ٣_"))
def test_a_changed_character_is_no_time_or_the_same_as_for_the_standard_library(
    when: datetime, digits: int, at: int, character: str
) -> None:
    text = _format(when, digits)
    parse_instant(text)
    changed = text[:at] + character + text[at + 1 :]
    assert _parse(changed) == _parse_with_standard_library(changed)


@pytest.mark.parametrize(
    "text",
    [
        "2026-11-30T12:00:60Z",
        "2026-11-30T25:00:00Z",
        "2026-11-30T12:00:00.12_456Z",
        "2026-11-30T12:00:00,12345aZ",
        "2026-11-31T12:00:00Z",
        "1969-12-31T23:59:59.999Z",
        "2026-11-30",
        "Z",
        "",
    ],
)
def test_a_text_that_is_no_time_stays_none_on_a_known_day(text: str) -> None:
    parse_instant("2026-11-30T12:00:00.000Z")
    with pytest.raises(ValueError, match=r"."):
        parse_instant(text)
