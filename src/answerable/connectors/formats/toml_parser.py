"""Parse TOML within bounds: the standard parser recurses and may be quadratic."""

import tomllib
from collections.abc import Mapping

from answerable.connectors.formats.document_node import (
    DEPTH_LIMIT,
    RawValue,
    check_tree_size,
)
from answerable.model.errors import ParseError

TOML_LIMIT = 1 << 20
_LINE_DOTS_LIMIT = 2000


def parse_toml(text: str) -> RawValue:
    """Parse TOML; dates and times become text.

    Raises:
        ParseError: Not TOML, or too large or too deep.
    """
    if len(text) > TOML_LIMIT:
        raise ParseError(f"the TOML file has more than {TOML_LIMIT} characters")
    for line in text.split("\n"):
        # A key `a.a.a...` costs the parser the square of its length.
        if line.count(".") > _LINE_DOTS_LIMIT or line.count("[") > _LINE_DOTS_LIMIT:
            raise ParseError("a line of TOML is nested too deeply")
    found: object = None
    reason = ""
    try:
        found = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        reason = _redact_parser_message(str(error))
    except (RecursionError, ValueError, OverflowError):
        reason = f"nested deeper than {DEPTH_LIMIT} levels or a number too long"
    if reason:
        # Outside the handler, so that no cause with the text in it hangs on.
        raise ParseError(f"not TOML: {reason}")
    raw = _copy_tree(found)
    check_tree_size(raw)
    return raw


def _redact_parser_message(message: str) -> str:
    """Keep only `(at line L, column C)` of the parser's message."""
    start = message.rfind("(at ")
    return "a syntax error " + message[start:] if start >= 0 else "a syntax error"


def _copy_tree(tree: object) -> RawValue:
    """Copy the tree of tomllib to our tree type, without recursion."""
    top: list[RawValue] = [None]
    todo: list[tuple[object, list[RawValue] | dict[str, RawValue], int | str]] = [
        (tree, top, 0)
    ]
    while todo:
        value, parent, key = todo.pop()
        made: RawValue
        if isinstance(value, Mapping):
            new: dict[str, RawValue] = dict.fromkeys(map(str, value))
            todo += [(inner, new, str(name)) for name, inner in value.items()]
            made = new
        elif isinstance(value, list):
            items: list[RawValue] = [None] * len(value)
            todo += [(inner, items, index) for index, inner in enumerate(value)]
            made = items
        elif isinstance(value, str | int | float | bool):
            made = value
        else:
            made = str(value)
        if isinstance(parent, dict):
            parent[str(key)] = made
        else:
            parent[int(key)] = made
    return top[0]
