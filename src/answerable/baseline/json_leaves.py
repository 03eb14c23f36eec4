"""Yield the leaves of JSON arguments and results as pairs of path and scalar."""

import hashlib
import json
import re
from collections.abc import Iterator

from answerable.model.behaviour import JsonValue

# Names that a schema has; others are data, and so are numbers and account numbers.
_MEMBER_NAME = re.compile(
    r"(?![0-9]+$)(?![A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}$)[A-Za-z0-9_$-]{1,64}"
)


def iterate_leaves(value: JsonValue) -> Iterator[tuple[str, str]]:
    """Yield each text and number with its path, in document order.

    `{"to": ["a"], "cc": {"x": 1}}` has the leaves `("to[]", "a")` and `("cc.x", "1")`.
    Null and booleans are skipped.

    A member whose name is data is written `{}`, like `[]` for list elements, and its
    name is a leaf before it: `{"may": {"ana@corp.example": "rw"}}` has the leaves
    `("may{}", "ana@corp.example")` and `("may.{}", "rw")`.
    """
    stack: list[tuple[str, JsonValue]] = [("", value)]
    while stack:
        path, here = stack.pop()
        if isinstance(here, dict):
            for name in reversed(here):
                _push_object_member(stack, path, name, here[name])
        elif isinstance(here, list):
            stack += [(path + "[]", each) for each in reversed(here)]
        elif here is not None and not isinstance(here, bool):
            yield path, format_scalar(here)


def _push_object_member(
    stack: list[tuple[str, JsonValue]], path: str, name: str, value: JsonValue
) -> None:
    """Push an object's member; an unusual name becomes a leaf value itself."""
    dot = f"{path}." if path else ""
    if _MEMBER_NAME.fullmatch(name):
        stack.append((dot + name, value))
    else:
        stack += [(f"{dot}{{}}", value), (f"{path}{{}}", name)]


def format_scalar(scalar: str | int | float) -> str:
    """Format a JSON scalar as text; a whole number has a single form."""
    if isinstance(scalar, str):
        return scalar
    if isinstance(scalar, float) and scalar.is_integer():
        return str(int(scalar))
    return str(scalar)


def count_result_records(value: JsonValue) -> int:
    """Count the records of a result: the length of its longest list, or 1."""
    if value is None or value in ("", {}, []):
        return 0
    longest = 1
    stack: list[JsonValue] = [value]
    while stack:
        here = stack.pop()
        if isinstance(here, list):
            longest = max(longest, len(here))
            stack += here
        elif isinstance(here, dict):
            stack += here.values()
    return longest


def hash_arguments(value: JsonValue) -> str:
    """Return the SHA-256 of arguments as JSON with sorted members, hex."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def matches_path_pattern(patterns: tuple[str, ...], path: str) -> bool:
    """Return whether a path equals a pattern, or starts with one ending in `*`."""
    return any(
        path.startswith(each[:-1]) if each.endswith("*") else path == each
        for each in patterns
    )


def encode_utf8_with_surrogates(text: str) -> bytes:
    """Encode a text as UTF-8, lone surrogates included."""
    return text.encode("utf-8", "surrogatepass")
