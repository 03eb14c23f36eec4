"""Find the members of a JSON object as byte spans; reject repeated keys.

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

from answerable.model.json_key_lookalikes import normalise_json_key
from answerable.server.mcp.json_nesting import exceeds_depth
from answerable.server.wire.refusals import RefusalReason, RequestRefused

MAX_DEPTH = 64
MAX_PARAMS_DEPTH = MAX_DEPTH - 2  # of a member of the parameters
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
WHITESPACE = b" \t\n\r"
NON_WHITESPACE = re.compile(rb"[^ \t\n\r]")

DECODE_ERRORS = (
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


def check_encoding_and_depth(data: bytes, depth: int = MAX_DEPTH) -> None:
    """Refuse invalid UTF-8 and deep nesting, which a walk does not detect.

    Args:
        data: Supposed JSON.
        depth: Maximum depth; `msgspec` itself fails below 1,000.

    Raises:
        Refused: See above.
    """
    check_utf8(data)
    if exceeds_depth(data, depth):
        raise RequestRefused(RefusalReason.TOO_DEEP)


def check_utf8(data: bytes) -> None:
    """Refuse invalid UTF-8.

    Raises:
        Refused: See above.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise RequestRefused(RefusalReason.NOT_JSON, offset=error.start) from None


def find_object_members(data: bytes, span: Span | None = None) -> dict[str, Span]:
    """Find the byte range of each member of a JSON object, by name.

    Args:
        data: UTF-8 that passed `check_encoding_and_depth`.
        span: The span of the object; all of `data` if None.

    Returns:
        Key -> span of its value in `data`, in the order of the text.

    Raises:
        Refused: Not JSON, not an object, or a key is repeated.
    """
    piece = data if span is None else data[span]
    try:
        kept = _object.decode(piece)
    except DECODE_ERRORS:
        raise RequestRefused(RefusalReason.NOT_JSON) from None
    if len(kept) > MAX_MEMBERS:
        raise RequestRefused(RefusalReason.NOT_A_MESSAGE)
    start = 0 if span is None else span.start
    stop = start + len(piece)
    return _find_members_in_compact_json(kept, start, stop) or _find_members_by_scan(
        data, start, stop, kept
    )


def _find_members_in_compact_json(
    decoded: Mapping[str, msgspec.Raw], start: int, stop: int
) -> dict[str, Span] | None:
    """Return the spans in a compactly encoded object; None for another encoding.

    A key is never encoded in fewer bytes than it has characters. So where keys, values
    and minimal punctuation fill the text, it has no white space, no escape, and no
    member whose value was not kept.
    """
    found = {}
    at = start
    for key, raw in decoded.items():
        at += len(key) + KEY_MARKS
        end = at + len(memoryview(raw))
        found[key] = slice(at, end)
        at = end
    return found if at + 1 == stop else None


def _find_members_by_scan(
    data: bytes, start: int, stop: int, decoded: Mapping[str, msgspec.Raw]
) -> dict[str, Span]:
    """Find the spans by a walk over the text; reject repeated keys."""
    found: dict[str, Span] = {}
    at = start
    for key, raw in decoded.items():
        place = next(BEFORE_VALUE.finditer(data, at)).end()
        value = bytes(raw)
        if place == at or not data.startswith(value, place):
            raise RequestRefused(RefusalReason.REPEATED_KEY, offset=at)
        at = place + len(value)
        found[key] = slice(place, at)
    if AFTER_VALUES.fullmatch(data, at, stop) is None:
        raise RequestRefused(RefusalReason.REPEATED_KEY, offset=at)
    return found


def skip_whitespace(data: bytes, offset: int) -> int:
    """Return the offset of the first non-white-space byte from `offset` on."""
    if data[offset] not in WHITESPACE:
        return offset
    return next(NON_WHITESPACE.finditer(data, offset)).start()


def read_string(data: bytes, span: Span | None) -> str | None:
    """Decode a value that is a string; None if it is another type."""
    if span is None:
        return None
    raw = data[span]
    if raw[0] != QUOTE:
        return None
    # Its encoding is checked already.
    return _string.decode(raw) if b"\\" in raw else raw[1:-1].decode("utf-8")


def is_object(data: bytes, span: Span) -> bool:
    """Return whether the JSON value in a byte range is an object."""
    return data[span.start] == ord("{")


@dataclass(frozen=True, slots=True)
class KnownKeys:
    """Known keys, and their case-folded forms."""

    names: frozenset[str]
    folded: frozenset[str]


def build_known_keys(*names: str) -> KnownKeys:
    """Build the set of known keys for `refuse_lookalike_keys`, with their folded forms."""
    return KnownKeys(frozenset(names), frozenset(map(normalise_json_key, names)))


def refuse_lookalike_keys(members: Mapping[str, Span], known: KnownKeys) -> None:
    """Refuse keys that another JSON reader takes for a known one (`normalise_json_key`).

    Go's encoding/json, among others, accepts `Name` and `NAME` for `name`, and the long
    s for an s: one of them could override the member that was decided on.

    Raises:
        Refused: There is such a key.
    """
    for key in members.keys() - known.names:
        if normalise_json_key(key) in known.folded:
            raise RequestRefused(RefusalReason.KEY_LOOKALIKE)
