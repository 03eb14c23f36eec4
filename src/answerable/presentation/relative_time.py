"""Format durations and times relative to now in one unit: `3d`, `2h ago`."""

from datetime import UTC, datetime

from answerable.presentation.text import sanitize

_STEPS = (
    (60, 1, "s"),
    (3_600, 60, "min"),
    (48 * 3_600, 3_600, "h"),
    (60 * 86_400, 86_400, "d"),
    (730 * 86_400, 30 * 86_400, "months"),
)


def format_span(seconds: int) -> str:
    """Format a duration in its largest meaningful unit."""
    for below, unit, name in _STEPS:
        if seconds < below:
            return f"{seconds // unit} {name}"
    return f"{seconds // (365 * 86_400)} years"


def format_age(seconds: int) -> str:
    """Format an age; under a minute is "now"."""
    return "now" if seconds < 60 else f"{format_span(seconds)} old"


def format_ago(text: object, now: int) -> str:
    """Format an RFC 3339 time relative to now; any other text is returned as it is.

    Args:
        text: The time, None or empty if unknown.
        now: UTC nanoseconds.
    """
    if not isinstance(text, str) or not text:
        return ""
    try:
        at = datetime.fromisoformat(text)
    except ValueError:
        return sanitize(text)
    if at.tzinfo is None:
        at = at.replace(tzinfo=UTC)
    seconds = now // 1_000_000_000 - int(at.timestamp())
    if seconds < 0:
        return f"in {format_span(-seconds)}"
    return "now" if seconds < 60 else f"{format_span(seconds)} ago"


def has_passed(text: str, now: int) -> bool:
    """Return whether an RFC 3339 time is in the past.

    Args:
        text: The time, with a zone.
        now: UTC nanoseconds.
    """
    return int(datetime.fromisoformat(text).timestamp()) <= now // 1_000_000_000
