"""Detect argument names and texts that another parser could read differently.

A policy on `amount` does not cover `Amount`, and a comparison with `/srv/*` does not
cover `/srv/../etc`. A policy that reads such a name errs (evaluation error), on every
tier.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from answerable.authorization.cedar.cedar_request import CedarRequest
from answerable.authorization.cedar.validation_schema import (
    ARGUMENTS,
    RESOURCE_NAME,
    AttributePath,
    attribute_path,
)
from answerable.authorization.name_patterns import is_unambiguous_name
from answerable.model.json_key_lookalikes import build_json_key_tree

MAX_DECODE_ROUNDS = 8  # times that a text may be escaped
_WILDCARD = "Wildcard"
# A segment of two dots after any separator, also with parameters (`..;a=b`).
_PARENT_SEGMENT = re.compile(r"(?:^|[/\\])\.\.(?:$|[/\\;?#])")
_OVERLONG = re.compile(r"%(?:u00|c0%|e0%80%)(2e|2f|5c|ae|af)", re.IGNORECASE)
_SPELLED = {"2e": ".", "ae": ".", "2f": "/", "af": "/", "5c": "\\"}
_SUSPECT = re.compile(r"%|\.\.|[\0\t\n\r]")
_DROPPED = re.compile(r"[\t\n\r]")  # by readers of URLs (https://url.spec.whatwg.org)


def is_path_traversal(text: str) -> bool:
    """Return whether a text could traverse upwards in a path or URL, or truncate it.

    Matches `..` segments, plain or escaped (repeatedly, and in overlong UTF-8), and
    NUL.
    """
    if text.isascii() and not any(_SUSPECT.finditer(text)):
        return False
    for _ in range(MAX_DECODE_ROUNDS):
        plain = unicodedata.normalize("NFKC", text)
        if "\0" in text or any(_PARENT_SEGMENT.finditer(_DROPPED.sub("", plain))):
            return True
        spelled = _OVERLONG.sub(lambda found: _SPELLED[found[1].lower()], text)
        decoded = unquote(spelled, errors="replace")
        if decoded == text:
            return False
        text = decoded
    return True


def find_prefix_comparisons(
    conditions: list[dict[str, Any]],
) -> tuple[AttributePath, ...]:
    """Return the paths that a policy compares with a prefix pattern."""
    found: dict[AttributePath, None] = {}
    stack: list[object] = [each["body"] for each in conditions]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            given = node.get("like")
            if isinstance(given, dict) and _is_prefix_pattern(given.get("pattern")):
                found |= dict.fromkeys(_iterate_attribute_paths(given["left"]))
            stack += node.values()
    return tuple(found)


def _is_prefix_pattern(pattern: object) -> bool:
    """Return whether a pattern is a literal prefix followed by a wildcard."""
    return (
        isinstance(pattern, list)
        and len(pattern) > 1
        and pattern[0] != _WILDCARD
        and _WILDCARD in pattern
    )


def _iterate_attribute_paths(node: object) -> Iterator[AttributePath]:
    """Yield every attribute path that an expression reads."""
    if isinstance(node, dict):
        path = attribute_path(node) if "." in node else None
        if path is not None:
            yield path
            return
        for each in node.values():
            yield from _iterate_attribute_paths(each)


class AmbiguityCheck:
    """Detector of ambiguous names among those that a slice's policies read.

    Args:
        read: Policy position, the argument members it reads, and the paths it compares
            with a prefix.
        facts: A request of the slice.

    Attributes:
        fixed: Positions of policies that err for every request of the slice.
    """

    __slots__ = ("_compared", "_every", "_read", "fixed")

    def __init__(
        self,
        read: Iterable[
            tuple[int, tuple[AttributePath, ...], tuple[AttributePath, ...]]
        ],
        facts: CedarRequest,
    ) -> None:
        read = tuple(read)
        name = facts.name
        is_elsewhere = not is_unambiguous_name(name) or is_path_traversal(name)
        self.fixed = tuple(
            position
            for position, _, prefixes in read
            if is_elsewhere and RESOURCE_NAME in prefixes
        )
        self._read = tuple(
            (position, build_json_key_tree(reads))
            for position, reads, _ in read
            if reads
        )
        self._every = build_json_key_tree(
            tuple({path for _, reads, _ in read for path in reads})
        )
        self._compared = tuple(
            (position, path[len(ARGUMENTS) :])
            for position, _, prefixes in read
            for path in prefixes
            if path[: len(ARGUMENTS)] == ARGUMENTS
        )

    def find_policies_with_ambiguity(self, request: CedarRequest) -> tuple[int, ...]:
        """Return the positions of policies that read an ambiguous argument."""
        given = request.context.get("arguments")
        if not (self._read and isinstance(given, dict)):
            return ()
        found: tuple[int, ...] = ()
        if self._every.find_lookalike_key(given):
            found = tuple(p for p, tree in self._read if tree.find_lookalike_key(given))
        return found + tuple(
            position
            for position, path in self._compared
            if isinstance(text := _get_value_at_path(given, path), str)
            and is_path_traversal(text)
        )


def _get_value_at_path(value: object, path: AttributePath) -> object:
    """Return the value at a path of nested objects; None if there is none."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value
