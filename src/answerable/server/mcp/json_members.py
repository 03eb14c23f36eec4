"""Members of one JSON object as spans, without repeated keys.

JSON readers disagree on a repeated key: most keep the last, some the first, and a
decision taken on one would be forwarded to a reader of the other (RFC 8259 4). So the
object is read twice: msgspec checks all of it and gives each key its last value; then
the text is walked member by member alongside. A member whose value is not the one kept
at its place, or that is one too many, reveals a repetition, however its key was
encoded. JSON values other than numbers are prefix-free, so that a value that begins as
the kept one does also ends there, and a number that continues is followed by neither
`,` nor `}`: the walk cannot be misled.

The walk takes one step for each member of this one object; values are compared as
memory, and never parsed.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from answerable.model.json_keys import fold_key
from answerable.server.mcp.json_nesting import is_deeper
from answerable.server.wire.refusals import Refused, Why

MAX_DEPTH = 64
WITHIN = MAX_DEPTH - 2  # of a member of the parameters
MAX_MEMBERS = 1024
KEY_MARKS = len('{"":')
QUOTE = ord('"')

# Text before a value: `{` or `,`, its key and a colon; else nothing at all, so that it
# matches at the current offset.
BEFORE_VALUE = re.compile(
    rb'(?:[ \t\n\r]*+[{,][ \t\n\r]*+"(?:[^"\\]++|\\.)*+"[ \t\n\r]*+:[ \t\n\r]*+)?',
    re.DOTALL,
)
# Text after the last value, or in an empty object.
AFTER_VALUES = re.compile(rb"[ \t\n\r]*+(?:\{[ \t\n\r]*+)?+\}[ \t\n\r]*+")
WHITE = b" \t\n\r"
INK = re.compile(rb"[^ \t\n\r]")

UNREADABLE = (
    msgspec.DecodeError,
    msgspec.ValidationError,
    UnicodeDecodeError,
    RecursionError,
)
_object = msgspec.json.Decoder(dict[str, msgspec.Raw])
_string = msgspec.json.Decoder(str)


# A piece of a body: `body[span]`. Python 3.11 knows no slices of a type yet.
if TYPE_CHECKING:
    Span: TypeAlias = slice[int, int, None]
else:
    Span = slice


def check_text(data: bytes, depth: int = MAX_DEPTH) -> None:
    """Refuse invalid UTF-8 and deep nesting, which a walk does not detect.

    Args:
        data: Supposed JSON.
        depth: Maximum depth; `msgspec` itself fails below 1,000.

    Raises:
        Refused: See above.
    """
    check_utf8(data)
    if is_deeper(data, depth):
        raise Refused(Why.TOO_DEEP)


def check_utf8(data: bytes) -> None:
    """Refuse invalid UTF-8.

    Raises:
        Refused: See above.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Why.NOT_JSON, offset=error.start) from None


def members(data: bytes, within: Span | None = None) -> dict[str, Span]:
    """Find the members of one object.

    Args:
        data: UTF-8 that passed `check_text`.
        within: The span of the object; all of `data` if None.

    Returns:
        Key -> span of its value in `data`, in the order of the text.

    Raises:
        Refused: Not JSON, not an object, or a key is repeated.
    """
    piece = data if within is None else data[within]
    try:
        kept = _object.decode(piece)
    except UNREADABLE:
        raise Refused(Why.NOT_JSON) from None
    if len(kept) > MAX_MEMBERS:
        raise Refused(Why.NOT_A_MESSAGE)
    start = 0 if within is None else within.start
    stop = start + len(piece)
    return _compact(kept, start, stop) or _walk(data, start, stop, kept)


def _compact(
    kept: Mapping[str, msgspec.Raw], start: int, stop: int
) -> dict[str, Span] | None:
    """Return the spans in a compactly encoded object; None for another encoding.

    A key is never encoded in fewer bytes than it has characters. So where keys, values
    and minimal punctuation fill the text, it has no white space, no escape, and no
    member whose value was not kept.
    """
    found = {}
    at = start
    for key, raw in kept.items():
        at += len(key) + KEY_MARKS
        end = at + len(memoryview(raw))
        found[key] = slice(at, end)
        at = end
    return found if at + 1 == stop else None


def _walk(
    data: bytes, start: int, stop: int, kept: Mapping[str, msgspec.Raw]
) -> dict[str, Span]:
    """Walk the text of an object alongside its keys and last values."""
    found: dict[str, Span] = {}
    at = start
    for key, raw in kept.items():
        place = next(BEFORE_VALUE.finditer(data, at)).end()
        value = bytes(raw)
        if place == at or not data.startswith(value, place):
            raise Refused(Why.REPEATED_KEY, offset=at)
        at = place + len(value)
        found[key] = slice(place, at)
    if AFTER_VALUES.fullmatch(data, at, stop) is None:
        raise Refused(Why.REPEATED_KEY, offset=at)
    return found


def after_white(data: bytes, at: int) -> int:
    """Return the offset of the first non-white-space byte from `at` on."""
    if data[at] not in WHITE:
        return at
    return next(INK.finditer(data, at)).start()


def text(data: bytes, span: Span | None) -> str | None:
    """Return the string of a value, or None where it is no string."""
    if span is None:
        return None
    raw = data[span]
    if raw[0] != QUOTE:
        return None
    # Its encoding is checked already.
    return _string.decode(raw) if b"\\" in raw else raw[1:-1].decode("utf-8")


def is_object(data: bytes, span: Span) -> bool:
    """Tell whether a value is an object."""
    return data[span.start] == ord("{")


@dataclass(frozen=True, slots=True)
class Spellings:
    """Known keys, and their case-folded forms."""

    names: frozenset[str]
    folded: frozenset[str]


def spellings(*names: str) -> Spellings:
    """Build the set of known keys for `refuse_lookalikes`."""
    return Spellings(frozenset(names), frozenset(map(fold_key, names)))


def refuse_lookalikes(found: Mapping[str, Span], known: Spellings) -> None:
    """Refuse keys that another JSON reader takes for a known one (`fold_key`).

    Go's encoding/json, among others, accepts `Name` and `NAME` for `name`, and the long
    s for an s: one of them could override the member that was decided on.

    Raises:
        Refused: There is such a key.
    """
    for key in found.keys() - known.names:
        if fold_key(key) in known.folded:
            raise Refused(Why.KEY_LOOKALIKE)
