"""The slow reader that the fast one is held equal to, and texts to read with both."""

import json
from collections.abc import Callable
from typing import NoReturn

from hypothesis import strategies as st

from answerable.server.mcp.json_members import Span

REPEATED = "repeated"
NOT_JSON = "not JSON"


class Pairs(list[tuple[str, object]]):
    """The members of an object as they stand, repeated keys and all."""


def read(data: bytes) -> object:
    """Read JSON (RFC 8259); objects become `Pairs`.

    Raises:
        ValueError: It is none, or holds half a surrogate pair.
    """
    value = json.loads(
        data.decode("utf-8"),
        object_pairs_hook=Pairs,
        parse_constant=_none_such,
        parse_int=lambda digits: f"int {digits}",
        parse_float=lambda digits: f"float {digits}",
    )
    json.dumps(value, ensure_ascii=False).encode("utf-8")
    return value


def _none_such(constant: str) -> NoReturn:
    raise ValueError(constant)


def members(data: bytes) -> dict[str, object] | str:
    """The members of one object, or what is wrong with it."""
    try:
        value = read(data)
    except (ValueError, RecursionError):
        return NOT_JSON
    if not isinstance(value, Pairs):
        return NOT_JSON
    found = dict(value)
    return found if len(found) == len(value) else REPEATED


def depth(value: object) -> int:
    """How deep lists and objects are nested."""
    if isinstance(value, Pairs):
        return 1 + max((depth(inner) for _, inner in value), default=0)
    if isinstance(value, list):
        return 1 + max(map(depth, value), default=0)
    return 0


def values(data: bytes, spans: dict[str, Span]) -> dict[str, object]:
    """Read each span by itself."""
    return {key: read(data[span]) for key, span in spans.items()}


# Texts.

WHITE = st.text(" \t\n\r", max_size=2)
LETTERS = st.text('ab"\\/:,{}[]é😀\x7f', max_size=4)


@st.composite
def spelling(draw: Callable[[st.SearchStrategy], str], texts: st.SearchStrategy) -> str:
    """A string, each letter as itself or escaped."""
    out = []
    for letter in draw(texts):
        units = letter.encode("utf-16-be")
        escape = "".join(
            f"\\u{a:02x}{b:02X}" for a, b in zip(*[iter(units)] * 2, strict=True)
        )
        must = letter in '"\\'
        out.append(
            escape
            if draw(st.integers(0, 3)) == 0
            else f"\\{letter}"
            if must
            else letter
        )
    return '"' + "".join(out) + '"'


KEYS = st.sampled_from(
    ["a", "b", "ab", "name", "params", "", '"', "\\", "é", "😀", 'a":1,"b']
)
NUMBERS = st.sampled_from(
    ["0", "1", "12", "-1", "1.5", "1e9", "-0", "10", "123456789012345678901234567890"]
)
SCALARS = st.one_of(
    NUMBERS, st.sampled_from(["true", "false", "null"]), spelling(LETTERS)
)


@st.composite
def _object(draw: Callable[[st.SearchStrategy], str], inside: st.SearchStrategy) -> str:
    parts = []
    for _ in range(draw(st.integers(0, 4))):
        key, value = draw(spelling(KEYS)), draw(inside)
        gaps = [draw(WHITE) for _ in range(4)]
        parts.append(f"{gaps[0]}{key}{gaps[1]}:{gaps[2]}{value}{gaps[3]}")
    return "{" + (",".join(parts) or draw(WHITE)) + "}"


def _array(inside: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(inside, max_size=3).map(lambda parts: "[" + ",".join(parts) + "]")


VALUES = st.recursive(
    SCALARS, lambda inside: st.one_of(_object(inside), _array(inside)), max_leaves=6
)
OBJECTS = st.tuples(WHITE, _object(VALUES), WHITE).map("".join).map(str.encode)
MARKS = [
    b'"',
    b"\\",
    b"{",
    b"}",
    b"[",
    b"]",
    b",",
    b":",
    b" ",
    b"\0",
    b"\xff",
    b"0",
    b'"a":1,',
]
BROKEN = st.tuples(
    OBJECTS, st.integers(0, 2**16), st.sampled_from(MARKS), st.booleans()
).map(
    lambda it: it[0][: it[1] % len(it[0])] + it[2] + it[0][it[1] % len(it[0]) + it[3] :]
)
TEXTS = st.one_of(OBJECTS, BROKEN, st.binary(max_size=40))
