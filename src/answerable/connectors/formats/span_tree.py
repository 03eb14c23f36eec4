"""Positions of every value in a JSON, YAML or TOML text, for edits that keep the rest.

The tree has offsets only; the values are those of the format's own parser.
"""

import json
import re
import tomllib
from collections.abc import Callable
from dataclasses import dataclass, field
from enum import StrEnum

import yaml

from answerable.connectors.formats.document_parser import DocumentFormat
from answerable.connectors.formats.jsonc_parser import blank_comments
from answerable.model.errors import ParseError

SPAN_LIMIT = 1 << 20
_BLANKS = " \t\r\n"
_DOTTED = re.compile(r"[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+")


class Layout(StrEnum):
    """Notation of an object or array, which decides how a member is added."""

    FLOW = "flow"
    BLOCK = "block"
    TABLE = "table"
    SCALAR = "scalar"


@dataclass(slots=True)
class SpanNode:
    """Value with its offsets.

    Attributes:
        start: Offset of its first character.
        end: Offset after its last character.
        members: Members of an object by key; their spans include the key.
        items: Items of an array.
    """

    start: int
    end: int
    layout: Layout = Layout.SCALAR
    members: dict[str, "MemberSpan"] = field(default_factory=dict)
    items: list["SpanNode"] = field(default_factory=list)


@dataclass(slots=True)
class MemberSpan:
    """Member of an object: the offset of its key, and its value."""

    start: int
    value: SpanNode

    @property
    def end(self) -> int:
        """Return the offset after the value."""
        return self.value.end


def scan_spans(text: str, form: DocumentFormat) -> SpanNode:
    """Scan a text that its format's parser accepts.

    Raises:
        ParseError: The format has no editor, or the text is too large.
    """
    if len(text) > SPAN_LIMIT or form not in _SCANNERS:
        raise ParseError("files of this format or size cannot be edited")
    return _SCANNERS[form](text)


def _scan_json(text: str) -> SpanNode:
    """Scan JSON with comments and trailing commas."""
    return _JsonScanner(blank_comments(text)).scan(0)


@dataclass(slots=True)
class _JsonScanner:
    """Scanner of strict JSON."""

    text: str
    decoder: json.JSONDecoder = field(default_factory=json.JSONDecoder)

    def scan(self, at: int) -> SpanNode:
        """Scan the value at or after an offset."""
        at = self._skip_blanks(at)
        if self.text[at] == "{":
            return self._scan_object(at)
        if self.text[at] == "[":
            return self._scan_array(at)
        _, end = self.decoder.raw_decode(self.text, at)
        return SpanNode(at, end)

    def _scan_object(self, start: int) -> SpanNode:
        """Scan a JSON object to a node that knows its byte span."""
        node = SpanNode(start, start, Layout.FLOW)
        at = self._skip_blanks(start + 1)
        while self.text[at] != "}":
            key, end = self.decoder.raw_decode(self.text, at)
            value = self.scan(self._skip_blanks(end) + 1)
            node.members[key] = MemberSpan(at, value)
            at = self._skip_comma(value.end)
        node.end = at + 1
        return node

    def _scan_array(self, start: int) -> SpanNode:
        """Scan a JSON array to a node that knows its byte span."""
        node = SpanNode(start, start, Layout.FLOW)
        at = self._skip_blanks(start + 1)
        while self.text[at] != "]":
            node.items.append(self.scan(at))
            at = self._skip_comma(node.items[-1].end)
        node.end = at + 1
        return node

    def _skip_blanks(self, at: int) -> int:
        """Return the offset of the next character that is no blank."""
        while self.text[at] in _BLANKS:
            at += 1
        return at

    def _skip_comma(self, at: int) -> int:
        """Return the offset of the next key, item or closing bracket."""
        at = self._skip_blanks(at)
        return self._skip_blanks(at + 1) if self.text[at] == "," else at


def _scan_yaml(text: str) -> SpanNode:
    """Scan the first document of a YAML stream."""
    root = next(iter(yaml.compose_all(text, Loader=yaml.SafeLoader)), None)
    if root is None:
        return SpanNode(len(text), len(text), Layout.BLOCK)
    return _convert_yaml_node(root, text)


def _convert_yaml_node(node: yaml.Node, text: str) -> SpanNode:
    """Convert a node; a block ends with its last scalar, before trailing comments."""
    start, end = node.start_mark.index, node.end_mark.index
    if isinstance(node, yaml.ScalarNode):
        return SpanNode(start, start + len(text[start:end].rstrip()))
    is_flow = text[start : start + 1] in ("{", "[")
    made = SpanNode(start, end, Layout.FLOW if is_flow else Layout.BLOCK)
    last = start
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            child = _convert_yaml_node(value, text)
            made.members[str(key.value)] = MemberSpan(key.start_mark.index, child)
            # An empty value has the offset of the next token.
            last = child.end = max(child.end, key.end_mark.index)
    elif isinstance(node, yaml.SequenceNode):
        made.items = [_convert_yaml_node(value, text) for value in node.value]
        last = made.items[-1].end if made.items else end
    if made.layout is Layout.BLOCK:
        made.end = last
    return made


def _scan_toml(text: str) -> SpanNode:
    """Scan tables and their keys; inline tables and arrays stay single values."""
    root = SpanNode(0, len(text), Layout.TABLE)
    table, at = root, 0
    lines = text.splitlines(keepends=True)
    number = 0
    while number < len(lines):
        line = lines[number]
        bare = line.strip()
        if bare.startswith("["):
            table = _open_table(root, bare, at, at + len(line.rstrip()))
        elif bare and not bare.startswith("#"):
            taken = _count_statement_lines(lines, number)
            chunk = "".join(lines[number : number + taken])
            _add_toml_member(table, chunk, at)
            at, number = at + len(chunk), number + taken
            continue
        at, number = at + len(line), number + 1
    return root


def _open_table(root: SpanNode, header: str, start: int, end: int) -> SpanNode:
    """Return the node of a table header; an array of tables is not edited."""
    found: object = tomllib.loads(header)
    node = root
    while isinstance(found, dict) and found:
        key, found = next(iter(found.items()))
        if key not in node.members:
            made = SpanNode(start, end, Layout.TABLE)
            node.members[key] = MemberSpan(start, made)
        node = node.members[key].value
    if isinstance(found, list):
        return SpanNode(start, end, Layout.TABLE)
    node.end = end
    return node


def _count_statement_lines(lines: list[str], number: int) -> int:
    """Count the lines of the statement that starts at a line."""
    for taken in range(1, len(lines) - number + 1):
        try:
            tomllib.loads("".join(lines[number : number + taken]))
        except tomllib.TOMLDecodeError:
            continue
        return taken
    raise ParseError("a TOML value has no end")


def _add_toml_member(table: SpanNode, chunk: str, at: int) -> None:
    """Add the member that a statement states; of dotted keys, `a.b` of bare words."""
    stated = tomllib.loads(chunk)
    key, value = next(iter(stated.items()))
    equals = chunk.index("=")
    name = chunk[:equals].strip()
    end = at + len(chunk.rstrip())
    table.end = max(table.end, end)
    lead = len(chunk) - len(chunk.lstrip())
    if isinstance(value, dict) and _DOTTED.fullmatch(name):
        below = table.members.get(key) or MemberSpan(
            at + lead, SpanNode(at + lead, end, Layout.TABLE)
        )
        table.members[key] = below
        table, lead = below.value, chunk.index(".") + 1
        key, value = next(iter(value.items()))
    elif name not in (key, json.dumps(key), f"'{key}'"):
        return
    start = at + equals + 1
    start += len(chunk[equals + 1 :]) - len(chunk[equals + 1 :].lstrip())
    end = start + _measure_toml_value(chunk[start - at :].rstrip(), value)
    table.members[key] = MemberSpan(at + lead, SpanNode(start, end))


def _measure_toml_value(rest: str, value: object) -> int:
    """Return the length of a value before a comment on its line."""
    marks = [at for at, char in enumerate(rest) if char == "#"]
    for at in marks:
        bare = rest[:at].rstrip()
        try:
            if tomllib.loads(f"v = {bare}") == {"v": value}:
                return len(bare)
        except tomllib.TOMLDecodeError:
            continue
    return len(rest)


_SCANNERS: dict[DocumentFormat, Callable[[str], SpanNode]] = {
    DocumentFormat.JSON: _scan_json,
    DocumentFormat.YAML: _scan_yaml,
    DocumentFormat.TOML: _scan_toml,
}
