"""The members of one JSON object as spans, and never two under one name.

JSON readers disagree on a repeated key: most keep the last, some the first, and a
decision taken on one would be forwarded to a reader of the other (RFC 8259 4). So the
object is read twice: msgspec checks all of it and gives each key its last value; then
the text is walked member by member beside that. A member whose value is not the one
kept at its place, or that is one too many, tells of a repetition, however its key was
spelled. JSON values other than numbers are prefix-free, so that a value that begins as
the kept one does also ends there, and a number that goes on is followed by neither `,`
nor `}`: the walk cannot be led astray.

The walk takes one step for each member of this one object; values are compared as
memory, and never looked into.
"""

import re
from collections.abc import Iterable, Mapping
from itertools import accumulate
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from answerable.gateway.wire.refusals import Refused, Why

MAX_DEPTH = 64
MAX_MEMBERS = 1024
MAX_KEY = 1024  # bytes as spelled
KEY_MARKS = len('{"":')

# A whole string; possessive, so that it is read once.
STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+"', re.DOTALL)
NOT_BRACKETS = bytes(set(range(256)) - set(b"[]{}"))
# What a bracket adds to the depth, as a signed byte.
DEEPER = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
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
NOWHERE: Span = slice(0, 0)


def check_text(data: bytes, depth: int = MAX_DEPTH) -> None:
    """Refuse what is not UTF-8 or is nested too deeply; neither is seen by a walk.

    Args:
        data: JSON, as far as is known.
        depth: How deep it may be; `msgspec` itself gives up before 1,000.

    Raises:
        Refused: See above.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise Refused(Why.NOT_JSON, offset=error.start) from None
    # Brackets in strings count here, so a few of them say nothing yet.
    if data.count(b"[") + data.count(b"{") > depth and _depth(data) > depth:
        raise Refused(Why.TOO_DEEP)


def _depth(data: bytes) -> int:
    """How deep brackets are nested; of malformed text it means nothing."""
    steps = STRING.sub(b"", data).translate(DEEPER, NOT_BRACKETS)
    return max(accumulate(memoryview(steps).cast("b")), default=0)


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
    return _compact(kept, start, start + len(piece)) or _walk(
        data, after_white(data, start), kept
    )


def _compact(
    kept: Mapping[str, msgspec.Raw], start: int, stop: int
) -> dict[str, Span] | None:
    """Spans in an object that is spelled as most clients do; None where it is not.

    A key is never spelled in fewer bytes than it has characters. So where keys, values
    and the least punctuation take all the room there is, it holds no white space, no
    escape, and no member whose value was not kept.
    """
    found = {}
    at = start
    for key, raw in kept.items():
        at += len(key) + KEY_MARKS
        end = at + len(memoryview(raw))
        found[key] = slice(at, end)
        at = end
    return found if at + 1 == stop else None


def _walk(data: bytes, at: int, kept: Mapping[str, msgspec.Raw]) -> dict[str, Span]:
    """Walk the text of an object beside its keys and last values."""
    found: dict[str, Span] = {}
    for key, raw in kept.items():
        # Before the first key stands `{`, before the others `,`.
        colon = after_white(data, _after_string(data, after_white(data, at + 1)))
        at = after_white(data, colon + 1)
        value = bytes(raw)
        if not data.startswith(value, at):
            raise Refused(Why.REPEATED_KEY, offset=at)
        found[key] = slice(at, at + len(value))
        at = after_white(data, at + len(value))
        if data[at] not in b",}":
            raise Refused(Why.REPEATED_KEY, offset=at)
    if found and data[at] != ord("}"):
        raise Refused(Why.REPEATED_KEY, offset=at)
    return found


def after_white(data: bytes, at: int) -> int:
    """The first byte from `at` on that is no white space; there is one."""
    if data[at] not in WHITE:
        return at
    return next(INK.finditer(data, at)).start()


def _after_string(data: bytes, at: int) -> int:
    """The byte after the key that begins at `at`."""
    end = at
    while True:
        end = data.find(b'"', end + 1, at + MAX_KEY)
        if end < 0:
            raise Refused(Why.NOT_A_MESSAGE, offset=at)
        if not _is_escaped(data, end):
            return end + 1


def _is_escaped(data: bytes, at: int) -> bool:
    """Say whether an odd number of backslashes stands before `at`."""
    first = at
    while data[first - 1] == ord("\\"):
        first -= 1
    return (at - first) % 2 == 1


def _text(raw: bytes) -> str:
    """The text of a string; its spelling is checked already."""
    if b"\\" in raw:
        return _string.decode(raw)
    return raw[1:-1].decode("utf-8")


def text(data: bytes, span: Span | None) -> str | None:
    """The text of a value, or None where it is no string."""
    if span is None or data[span.start] != ord('"'):
        return None
    return _text(data[span])


def is_object(data: bytes, span: Span) -> bool:
    """Say whether a value is an object."""
    return data[span.start] == ord("{")


def spellings(*names: str) -> Mapping[str, str]:
    """Known names by what they fold to, for `refuse_lookalikes`."""
    return {name.casefold(): name for name in names}


def refuse_lookalikes(found: Iterable[str], known: Mapping[str, str]) -> None:
    """Refuse keys that differ from a known one in case only.

    Go's encoding/json, among others, takes `Name` and `NAME` for `name`, and the long
    s for an s: one of them could overrule the member that was decided on.

    Raises:
        Refused: There is such a key.
    """
    for key in found:
        if known.get(key.casefold(), key) != key:
            raise Refused(Why.KEY_LOOKALIKE)
