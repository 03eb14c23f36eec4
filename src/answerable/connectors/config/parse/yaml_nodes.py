"""YAML parser to nodes with source positions.

Built from parser events with an explicit stack, so that depth is unlimited by
recursion. Ambiguous YAML is refused: anchors and aliases, tags, merges, a repeated key,
a second document, and the YAML 1.1 words for booleans. The repr of a node omits its
value.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Protocol

import yaml

from answerable.connectors.config.parse.config_faults import Fault, Mark

MAX_BYTES = 1 << 20
MAX_DEPTH = 16

_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_WORDS: dict[str, bool | None] = {"true": True, "false": False, "null": None, "": None}
# Plain words that an older YAML reader takes for a boolean, a null or a number.
_AMBIGUOUS = re.compile(
    r"(?i:y|yes|n|no|on|off|true|false|null|~)|[-+.0-9][0-9_:.eExXoOa-fA-F+-]*"
)
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

Value = dict[str, "Member"] | list["Node"] | str | int | bool | None


class _Stands(Protocol):
    """Position of a YAML parser, from 0."""

    line: int
    column: int


class NotRead(Exception):  # noqa: N818 - the text, not the program, is at fault
    """Refused text: not YAML, or an ambiguous construct."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.what)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class Node:
    """YAML value with its position."""

    mark: Mark
    value: Value = field(repr=False)


@dataclass(frozen=True, slots=True)
class Member:
    """Member of a mapping: its value and the key's position."""

    mark: Mark
    node: Node


@dataclass(slots=True)
class _Open:
    """Open collection during parsing."""

    mark: Mark
    into: dict[str, Member] | list[Node]
    key: str = ""
    key_mark: Mark | None = None


def read_nodes(text: str) -> Node:
    """Parse the only document of a text.

    Raises:
        NotRead: The text is refused, with line and column.
    """
    stack: list[_Open] = []
    root: Node | None = None
    for event in _events(text):
        mark = _mark(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise _not_read(mark, "one document was expected")
        if isinstance(event, yaml.NodeEvent):
            _refuse_sharing(event, mark)
        done: Node | None = None
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) == MAX_DEPTH:
                raise _not_read(mark, f"nested deeper than {MAX_DEPTH} levels")
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            stack.append(_Open(mark, {} if is_mapping else []))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            done = Node(ended.mark, ended.into)
        elif isinstance(event, yaml.ScalarEvent):
            top = stack[-1] if stack else None
            if top and isinstance(top.into, dict) and top.key_mark is None:
                _take_key(top, top.into, event.value, mark)
            else:
                done = Node(mark, _scalar(event, mark))
        if done is not None:
            root = _place(stack, done) or root
    return root or Node(Mark(1, 1), None)


def _events(text: str) -> Iterator[yaml.Event]:
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _not_read(_mark(error.problem_mark), "not YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _not_read(Mark(1, 1), "a character that YAML does not allow") from None


def _refuse_sharing(event: yaml.NodeEvent, mark: Mark) -> None:
    if event.anchor is not None:
        raise _not_read(mark, "anchors and aliases are not taken")
    tagged = (yaml.ScalarEvent, yaml.CollectionStartEvent)
    if isinstance(event, tagged) and event.tag is not None:
        raise _not_read(mark, "tags are not taken")


def _take_key(top: _Open, into: dict[str, Member], key: str, mark: Mark) -> None:
    if key in into:
        raise _not_read(mark, "this key is repeated")
    top.key, top.key_mark = key, mark


def _place(stack: list[_Open], done: Node) -> Node | None:
    """Attach a value to its parent; returns the root."""
    if not stack:
        return done
    top = stack[-1]
    if isinstance(top.into, list):
        top.into.append(done)
    elif top.key_mark is None:
        raise _not_read(done.mark, "a key must be text")
    else:
        top.into[top.key] = Member(top.key_mark, done)
        top.key_mark = None
    return None


def _scalar(event: yaml.ScalarEvent, mark: Mark) -> Value:
    text: str = event.value
    if not event.implicit[0]:  # quoted
        return text
    if text in _WORDS:
        return _WORDS[text]
    if _NUMBER.fullmatch(text):
        return int(text)
    if _AMBIGUOUS.fullmatch(text) and not _ADDRESS.fullmatch(text):
        raise _not_read(mark, "put this in quotes, or write true, false or a number")
    return text


def _mark(mark: _Stands | None) -> Mark:
    return Mark(mark.line + 1, mark.column + 1) if mark else Mark(1, 1)


def _not_read(mark: Mark, what: str) -> NotRead:
    return NotRead(Fault(mark, "", what))
