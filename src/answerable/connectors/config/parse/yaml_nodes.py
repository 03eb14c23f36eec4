"""Parse YAML into nodes with line and column; anchors and tags are refused.

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

from answerable.connectors.config.parse.config_faults import ConfigFault, TextPosition

MAX_BYTES = 1 << 20
MAX_DEPTH = 16

_NUMBER = re.compile(r"0|[1-9][0-9]{0,14}")
_SCALAR_WORDS: dict[str, bool | None] = {
    "true": True,
    "false": False,
    "null": None,
    "": None,
}
# Plain words that an older YAML reader takes for a boolean, a null or a number.
_AMBIGUOUS = re.compile(
    r"(?i:y|yes|n|no|on|off|true|false|null|~)|[-+.0-9][0-9_:.eExXoOa-fA-F+-]*"
)
_ADDRESS = re.compile(r"[0-9]+(?:\.[0-9]+){3}(?::[0-9]+)?")
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

YamlValue = dict[str, "YamlMember"] | list["YamlNode"] | str | int | bool | None


class _YamlMark(Protocol):
    """Position of a YAML parser, from 0."""

    line: int
    column: int


class YamlRefused(Exception):  # noqa: N818 - the text, not the program, is at fault
    """Refused text: not YAML, or an ambiguous construct."""

    def __init__(self, fault: ConfigFault) -> None:
        super().__init__(fault.message)
        self.fault = fault


@dataclass(frozen=True, slots=True)
class YamlNode:
    """YAML value with its position."""

    position: TextPosition
    value: YamlValue = field(repr=False)


@dataclass(frozen=True, slots=True)
class YamlMember:
    """Member of a mapping: its value and the key's position."""

    key_position: TextPosition
    node: YamlNode


@dataclass(slots=True)
class _OpenYamlCollection:
    """Open collection during parsing."""

    position: TextPosition
    content: dict[str, YamlMember] | list[YamlNode]
    key: str = ""
    key_position: TextPosition | None = None


def parse_yaml_nodes(text: str) -> YamlNode:
    """Parse the only document of a text.

    Raises:
        YamlRefused: The text is refused, with line and column.
    """
    stack: list[_OpenYamlCollection] = []
    root: YamlNode | None = None
    for event in _parse_events(text):
        mark = _to_position(event.start_mark)
        if isinstance(event, yaml.DocumentStartEvent) and root is not None:
            raise _refused_error(mark, "expected a single YAML document")
        if isinstance(event, yaml.NodeEvent):
            _refuse_anchors_and_tags(event, mark)
        done: YamlNode | None = None
        if isinstance(event, yaml.CollectionStartEvent):
            if len(stack) == MAX_DEPTH:
                raise _refused_error(mark, f"more than {MAX_DEPTH} levels of nesting")
            is_mapping = isinstance(event, yaml.MappingStartEvent)
            stack.append(_OpenYamlCollection(mark, {} if is_mapping else []))
        elif isinstance(event, yaml.CollectionEndEvent):
            ended = stack.pop()
            done = YamlNode(ended.position, ended.content)
        elif isinstance(event, yaml.ScalarEvent):
            top = stack[-1] if stack else None
            if top and isinstance(top.content, dict) and top.key_position is None:
                _set_pending_key(top, top.content, event.value, mark)
            else:
                done = YamlNode(mark, _parse_scalar(event, mark))
        if done is not None:
            root = _attach_node(stack, done) or root
    return root or YamlNode(TextPosition(1, 1), None)


def _parse_events(text: str) -> Iterator[yaml.Event]:
    """Yield the parser's events; an error raises with its position."""
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        raise _refused_error(_to_position(error.problem_mark), "invalid YAML") from None
    except (yaml.YAMLError, ValueError, RecursionError):
        raise _refused_error(
            TextPosition(1, 1), "YAML does not allow this character"
        ) from None


def _refuse_anchors_and_tags(event: yaml.NodeEvent, position: TextPosition) -> None:
    """Raise for YAML anchors, aliases and tags, which are not supported."""
    if event.anchor is not None:
        raise _refused_error(position, "YAML anchors and aliases are not supported")
    tagged = (yaml.ScalarEvent, yaml.CollectionStartEvent)
    if isinstance(event, tagged) and event.tag is not None:
        raise _refused_error(position, "YAML tags are not supported")


def _set_pending_key(
    collection: _OpenYamlCollection,
    mapping: dict[str, YamlMember],
    key: str,
    position: TextPosition,
) -> None:
    """Remember the mapping key of the next value; raises if it is repeated."""
    if key in mapping:
        raise _refused_error(position, "duplicate key")
    collection.key, collection.key_position = key, position


def _attach_node(stack: list[_OpenYamlCollection], node: YamlNode) -> YamlNode | None:
    """Attach a value to its parent; returns the root."""
    if not stack:
        return node
    top = stack[-1]
    if isinstance(top.content, list):
        top.content.append(node)
    elif top.key_position is None:
        raise _refused_error(node.position, "keys must be strings")
    else:
        top.content[top.key] = YamlMember(top.key_position, node)
        top.key_position = None
    return None


def _parse_scalar(event: yaml.ScalarEvent, position: TextPosition) -> YamlValue:
    """Return a scalar's value; raises if its type is ambiguous in YAML."""
    text: str = event.value
    if not event.implicit[0]:  # quoted
        return text
    if text in _SCALAR_WORDS:
        return _SCALAR_WORDS[text]
    if _NUMBER.fullmatch(text):
        return int(text)
    if _AMBIGUOUS.fullmatch(text) and not _ADDRESS.fullmatch(text):
        raise _refused_error(
            position, "ambiguous value: quote it, or write true, false or a number"
        )
    return text


def _to_position(position: _YamlMark | None) -> TextPosition:
    """Convert a parser mark to a line and a column from 1."""
    return (
        TextPosition(position.line + 1, position.column + 1)
        if position
        else TextPosition(1, 1)
    )


def _refused_error(position: TextPosition, message: str) -> YamlRefused:
    """Build the error for refused YAML."""
    return YamlRefused(ConfigFault(position, "", message))
