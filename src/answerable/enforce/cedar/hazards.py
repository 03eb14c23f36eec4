"""Names and texts of a request that another reader takes for something else.

A policy that reads `amount` says nothing of `Amount`, and one that compares a text with
`/srv/*` nothing of where `/srv/../etc` leads. Where a policy reads such a name, it has no
answer (an evaluation error), whichever layer decides it.
"""

import re
import unicodedata
from collections.abc import Iterable, Iterator
from typing import Any
from urllib.parse import unquote

from answerable.enforce.cedar.facts import Facts
from answerable.enforce.cedar.schema import ARGUMENTS, RESOURCE_NAME, Path, path_of
from answerable.enforce.pattern import is_plain
from answerable.model.key_names import key_tree

ROUNDS = 8  # times that a text may be escaped
_WILDCARD = "Wildcard"
# A segment of two dots, whatever separates it, also with parameters (`..;a=b`).
_UPWARDS = re.compile(r"(?:^|[/\\])\.\.(?:$|[/\\;?#])")
_OVERLONG = re.compile(r"%(?:u00|c0%|e0%80%)(2e|2f|5c|ae|af)", re.IGNORECASE)
_SPELLED = {"2e": ".", "ae": ".", "2f": "/", "af": "/", "5c": "\\"}
_SUSPECT = re.compile(r"%|\.\.|[\0\t\n\r]")
_DROPPED = re.compile(r"[\t\n\r]")  # by readers of URLs (https://url.spec.whatwg.org)


def leads_upwards(text: str) -> bool:
    """Tell whether a reader of paths or URLs could walk up in a text, or cut it.

    That is a segment `..`, plain or escaped (also several times, and in overlong
    UTF-8), and a NUL.
    """
    if text.isascii() and not any(_SUSPECT.finditer(text)):
        return False
    for _ in range(ROUNDS):
        plain = unicodedata.normalize("NFKC", text)
        if "\0" in text or any(_UPWARDS.finditer(_DROPPED.sub("", plain))):
            return True
        spelled = _OVERLONG.sub(lambda found: _SPELLED[found[1].lower()], text)
        decoded = unquote(spelled, errors="replace")
        if decoded == text:
            return False
        text = decoded
    return True


def prefix_paths(conditions: list[dict[str, Any]]) -> tuple[Path, ...]:
    """Return what a policy compares with a pattern that is a prefix, by path."""
    found: dict[Path, None] = {}
    stack: list[object] = [each["body"] for each in conditions]
    while stack:
        node = stack.pop()
        if isinstance(node, list):
            stack += node
        elif isinstance(node, dict):
            given = node.get("like")
            if isinstance(given, dict) and _is_prefix(given.get("pattern")):
                found |= dict.fromkeys(_paths(given["left"]))
            stack += node.values()
    return tuple(found)


def _is_prefix(pattern: object) -> bool:
    """Tell whether a pattern begins with text and takes any text after it."""
    return (
        isinstance(pattern, list)
        and len(pattern) > 1
        and pattern[0] != _WILDCARD
        and _WILDCARD in pattern
    )


def _paths(node: object) -> Iterator[Path]:
    if isinstance(node, dict):
        path = path_of(node) if "." in node else None
        if path is not None:
            yield path
            return
        for each in node.values():
            yield from _paths(each)


class Hazards:
    """Names that the policies of one slice read, and names that look like them.

    Args:
        read: Position of each policy, with the members of the arguments that it reads
            and what it compares with a prefix.
        facts: A request of the slice.

    Attributes:
        fixed: Policies that have no answer whatever else a request of the slice holds.
    """

    __slots__ = ("_compared", "_every", "_read", "fixed")

    def __init__(
        self,
        read: Iterable[tuple[int, tuple[Path, ...], tuple[Path, ...]]],
        facts: Facts,
    ) -> None:
        read = tuple(read)
        name = facts.name
        is_elsewhere = not is_plain(name) or leads_upwards(name)
        self.fixed = tuple(
            position
            for position, _, prefixes in read
            if is_elsewhere and RESOURCE_NAME in prefixes
        )
        self._read = tuple(
            (position, key_tree(reads)) for position, reads, _ in read if reads
        )
        self._every = key_tree(tuple({path for _, reads, _ in read for path in reads}))
        self._compared = tuple(
            (position, path[len(ARGUMENTS) :])
            for position, _, prefixes in read
            for path in prefixes
            if path[: len(ARGUMENTS)] == ARGUMENTS
        )

    def find(self, facts: Facts) -> tuple[int, ...]:
        """Find the policies that have no answer for a request, by position."""
        given = facts.context.get("arguments")
        if not (self._read and isinstance(given, dict)):
            return ()
        found: tuple[int, ...] = ()
        if self._every.find_lookalike(given):
            found = tuple(p for p, tree in self._read if tree.find_lookalike(given))
        return found + tuple(
            position
            for position, path in self._compared
            if isinstance(text := _member(given, path), str) and leads_upwards(text)
        )


def _member(given: object, path: Path) -> object:
    for name in path:
        given = given.get(name) if isinstance(given, dict) else None
    return given
