"""Count the values in JSON text without parsing it.

Reading makes an object of each value, so its time grows with their number and not with
the bytes: four megabytes of nested lists take three seconds, one long string takes ten
milliseconds.
"""

MAX_ARGUMENT_VALUES = (
    10_000  # of a call's arguments that a decision reads, in about 30 ms
)


def exceeds_json_value_count(data: bytes, most: int) -> bool:
    """Return whether JSON has more than `most` values, in linear time.

    Args:
        data: JSON; of other text the answer says nothing.
        most: How many values it may have, members and items counted at every depth.
    """
    if len(data) <= most or _count_json_value_starts(data) < most:
        return False
    if b"\\" in data:
        data = data.replace(rb"\\", b"").replace(rb"\"", b"")
    # Every second piece is outside of strings; a value has at most one key.
    pieces = data.split(b'"', 4 * most + 1)
    return (
        len(pieces) > 4 * most + 1
        or sum(map(_count_json_value_starts, pieces[::2])) >= most
    )


def _count_json_value_starts(data: bytes) -> int:
    """Count commas and opening brackets, also in strings: an upper bound of values."""
    return data.count(b",") + data.count(b"[") + data.count(b"{")
