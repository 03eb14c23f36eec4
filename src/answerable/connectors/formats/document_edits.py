"""Edit a JSON, YAML or TOML text at some members, byte for byte the same elsewhere.

Each edit is applied to the text by offsets and to the parsed values; the edited text is
accepted only if it parses to the edited values.
"""

import copy
import json
import re
from dataclasses import dataclass

from answerable.connectors.formats.document_node import (
    ObjectWithDuplicates,
    RawValue,
    find_duplicate_keys,
)
from answerable.connectors.formats.document_parser import (
    DocumentFormat,
    parse_document,
)
from answerable.connectors.formats.span_tree import (
    Layout,
    MemberSpan,
    SpanNode,
    scan_spans,
)
from answerable.model.errors import ParseError

_PLAIN = re.compile(r"[A-Za-z/][A-Za-z0-9_./@-]*")
_WORDS_WITH_A_TYPE = frozenset(
    ("y", "n", "yes", "no", "on", "off", "true", "false", "null")
)
_MARK = "\ufeff"
Path = tuple[str, ...]
Pairs = tuple[tuple[str, RawValue], ...]


@dataclass(frozen=True, slots=True, repr=False)
class ReplaceMember:
    """Replacement of one member of an object by one or more members.

    Attributes:
        text: Notation of the members; empty to render them.
    """

    path: Path
    pairs: Pairs
    text: str = ""


@dataclass(frozen=True, slots=True, repr=False)
class AddMember:
    """Addition of a member at the end of the object at a path.

    Attributes:
        block_levels: Levels of the value that YAML writes one key a line.
    """

    path: Path
    key: str
    value: RawValue
    block_levels: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class AppendItem:
    """Addition of an item at the end of the array at a path."""

    path: Path
    value: RawValue


@dataclass(frozen=True, slots=True, repr=False)
class RemoveChild:
    """Removal of a member or item in brackets: JSON, or YAML in flow style."""

    path: Path


Edit = ReplaceMember | AddMember | AppendItem | RemoveChild


def edit_document(data: bytes, form: DocumentFormat, edits: tuple[Edit, ...]) -> bytes:
    """Apply edits to a document, one after the other.

    Raises:
        ParseError: It is invalid, has repeated keys, or an edit cannot be made so that
            everything else keeps its value.
    """
    expected = parse_document(data, form, "").root.raw
    if find_duplicate_keys(expected):
        raise ParseError("a key is repeated")
    # By value: an aliased node would be edited at each of its places.
    expected = {} if expected is None else json.loads(json.dumps(expected))
    text = data.decode("utf-8")
    mark = _MARK if text.startswith(_MARK) else ""
    text = text.removeprefix(_MARK)
    for edit in edits:
        text = _edit_text(text, form, edit, expected)
        _edit_values(expected, edit)
    edited = (mark + text).encode()
    if parse_document(edited, form, "").root.raw != expected:
        raise ParseError("an edit would change another value")
    return edited


def get_value(raw: RawValue, path: Path) -> RawValue:
    """Return the value at a path of keys and item numbers.

    Raises:
        ParseError: There is none.
    """
    for key in path:
        if isinstance(raw, dict) and key in raw:
            raw = raw[key]
        elif isinstance(raw, list) and key.isdigit() and int(key) < len(raw):
            raw = raw[int(key)]
        else:
            raise ParseError("no value at the path of the edit")
    return raw


def _edit_values(root: RawValue, edit: Edit) -> None:
    """Apply an edit, in place, to the parsed values of a JSON or TOML document."""
    if isinstance(edit, RemoveChild):
        parent, key = get_value(root, edit.path[:-1]), edit.path[-1]
        get_value(root, edit.path)
        if isinstance(parent, dict):
            del parent[key]
        elif isinstance(parent, list):
            del parent[int(key)]
        return
    if isinstance(edit, AppendItem):
        items = get_value(root, edit.path)
        if not isinstance(items, list):
            raise ParseError("not an array at the path of the edit")
        items.append(copy.deepcopy(edit.value))
        return
    path = edit.path if isinstance(edit, AddMember) else edit.path[:-1]
    parent = get_value(root, path)
    if not isinstance(parent, dict) or isinstance(parent, ObjectWithDuplicates):
        raise ParseError("not an object at the path of the edit")
    if isinstance(edit, AddMember):
        parent[edit.key] = copy.deepcopy(edit.value)
        return
    kept = list(parent.items())
    parent.clear()
    for key, value in kept:
        parent.update(edit.pairs if key == edit.path[-1] else ((key, value),))


def _edit_text(text: str, form: DocumentFormat, edit: Edit, raw: RawValue) -> str:
    """Apply an edit to the text of a document, keeping its formatting."""
    root = scan_spans(text, form)
    if isinstance(edit, ReplaceMember):
        return _replace_member(text, form, edit, root, raw)
    if isinstance(edit, RemoveChild):
        return _remove_child(text, _find_node(root, edit.path[:-1]), edit.path[-1])
    node = _find_node(root, edit.path)
    if isinstance(edit, AppendItem):
        return _append_item(text, form, node, edit.value)
    return _add_member(text, form, node, edit)


def _replace_member(
    text: str, form: DocumentFormat, edit: ReplaceMember, root: SpanNode, raw: RawValue
) -> str:
    """Replace a member; where only an enclosing value has a span, replace that."""
    path, pairs = edit.path, edit.pairs
    parent = _find_node(root, path[:-1], missing_ok=True)
    while path[-1] not in parent.members:
        if len(path) == 1:
            raise ParseError("no value at the path of the edit")
        enclosing = copy.deepcopy(get_value(raw, path[:-1]))
        _edit_values(enclosing, ReplaceMember(path[-1:], pairs))
        path, pairs = path[:-1], ((path[-2], enclosing),)
        parent = _find_node(root, path[:-1], missing_ok=True)
    member = parent.members[path[-1]]
    if edit.text and path == edit.path:
        return text[: member.start] + edit.text + text[member.end :]
    first = text[member.start : member.value.start]
    is_block = member.value.layout is Layout.BLOCK
    written = []
    for key, value in pairs:
        if key == path[-1] and not is_block:
            written.append(first + render_value(value, form))
        else:
            written.append(_render_member(key, value, form))
    joint = _get_member_separator(text, form, parent, member)
    return text[: member.start] + joint.join(written) + text[member.end :]


def _get_member_separator(
    text: str, form: DocumentFormat, parent: SpanNode, member: MemberSpan
) -> str:
    """Return the text between two members, as the neighbours have it."""
    newline = "\r\n" if "\r\n" in text else "\n"
    line_start = text.rfind("\n", 0, member.start) + 1
    lead = text[line_start : member.start]
    if form is DocumentFormat.TOML:
        return newline + (lead if lead.isspace() else "")
    if parent.layout is Layout.BLOCK:
        # After `- ` the further members are indented by blanks.
        return newline + " " * len(lead)
    if lead.strip():
        return ", "
    return f",{newline}{lead}"


def _find_node(root: SpanNode, path: Path, *, missing_ok: bool = False) -> SpanNode:
    """Return the JSON or TOML node at a path.

    Raises:
        ParseError: There is none.
    """
    node = root
    for key in path:
        if key in node.members:
            node = node.members[key].value
        elif key.isdigit() and int(key) < len(node.items):
            node = node.items[int(key)]
        elif missing_ok:
            return SpanNode(0, 0)
        else:
            raise ParseError("no value at the path of the edit")
    return node


def _add_member(
    text: str, form: DocumentFormat, node: SpanNode, edit: AddMember
) -> str:
    """Insert a member as text after the last one of an object."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if form is DocumentFormat.TOML:
        raise ParseError("members cannot be added to a TOML file")
    if form is DocumentFormat.YAML and node.layout is Layout.BLOCK:
        if not node.members:
            lead = "" if not text or text.endswith("\n") else newline
            return f"{text}{lead}{_render_block(edit, '', newline)}{newline}"
        first = min(member.start for member in node.members.values())
        indent = " " * (first - text.rfind("\n", 0, first) - 1)
        written = f"{newline}{indent}{_render_block(edit, indent, newline)}"
        return text[: node.end] + written + text[node.end :]
    if node.layout is not Layout.FLOW:
        raise ParseError("not an object at the path of the edit")
    spans = [(each.start, each.end) for each in node.members.values()]
    written = _render_member(edit.key, edit.value, form)
    return _add_to_flow(text, node, spans, written)


def _append_item(
    text: str, form: DocumentFormat, node: SpanNode, value: RawValue
) -> str:
    """Add an item after the last one."""
    written = render_value(value, form)
    if node.layout is Layout.BLOCK and node.items:
        newline = "\r\n" if "\r\n" in text else "\n"
        last = node.items[-1]
        dash = text.rfind("-", 0, last.start)
        indent = " " * (dash - text.rfind("\n", 0, dash) - 1)
        return f"{text[: last.end]}{newline}{indent}- {written}{text[last.end :]}"
    if node.layout is not Layout.FLOW:
        raise ParseError("not an array at the path of the edit")
    return _add_to_flow(text, node, [(i.start, i.end) for i in node.items], written)


def _remove_child(text: str, node: SpanNode, key: str) -> str:
    """Remove a member or item with the comma before it, or after the first."""
    if node.layout is not Layout.FLOW:
        raise ParseError("a value here cannot be removed")
    if node.items:
        spans, at = [(i.start, i.end) for i in node.items], int(key)
    else:
        spans = [(m.start, m.end) for m in node.members.values()]
        at = list(node.members).index(key)
    if len(spans) == 1:
        rest = text[spans[0][1] : node.end - 1].strip()
        kept = rest if rest != "," else ""
        return text[: node.start + 1] + kept + text[node.end - 1 :]
    if at == 0:
        return text[: spans[0][0]] + text[spans[1][0] :]
    return text[: spans[at - 1][1]] + text[spans[at][1] :]


def _add_to_flow(
    text: str, node: SpanNode, spans: list[tuple[int, int]], written: str
) -> str:
    """Add a member or item before the closing bracket of a flow collection."""
    newline = "\r\n" if "\r\n" in text else "\n"
    if not spans:
        line_start = text.rfind("\n", 0, node.start) + 1
        line = text[line_start : node.start]
        indent = line[: len(line) - len(line.lstrip())]
        if "\n" not in text.strip():
            return f"{text[: node.start + 1]}{written}{text[node.start + 1 :]}"
        inside = text[node.start + 1 : node.end - 1]
        inside = inside.rstrip()  # a comment stays
        body = f"{inside}{newline}{indent}  {written}{newline}{indent}"
        return f"{text[: node.start + 1]}{body}{text[node.end - 1 :]}"
    start, end = spans[-1]
    between = ", "
    line_start = text.rfind("\n", 0, start) + 1
    lead = text[line_start:start]
    if not lead.strip() and line_start:
        between = f",{newline}{lead}"
    elif len(spans) > 1:
        gap = text[spans[-2][1] : start]
        between = gap if gap.replace(",", "", 1).strip() == "" else ", "
    return text[:end] + between + written + text[end:]


def _render_block(edit: AddMember, indent: str, newline: str) -> str:
    """Render a new member of a YAML block."""
    value, deeper = edit.value, indent + "  "
    if not edit.block_levels or not value:
        return _render_member(edit.key, value, DocumentFormat.YAML)
    if isinstance(value, dict):
        inner = [AddMember((), k, v, edit.block_levels - 1) for k, v in value.items()]
        lines = [deeper + _render_block(each, deeper, newline) for each in inner]
    elif isinstance(value, list):
        rendered = (render_value(each, DocumentFormat.YAML) for each in value)
        lines = [f"{deeper}- {each}" for each in rendered]
    else:
        return _render_member(edit.key, value, DocumentFormat.YAML)
    return newline.join((f"{render_value(edit.key, DocumentFormat.YAML)}:", *lines))


def _render_member(key: str, value: RawValue, form: DocumentFormat) -> str:
    """Write a key and its value as JSON or TOML text."""
    written = render_value(value, form)
    if form is DocumentFormat.TOML:
        bare = key.isascii() and key.replace("_", "").replace("-", "").isalnum()
        return f"{key if bare else json.dumps(key)} = {written}"
    if form is DocumentFormat.YAML:
        return f"{render_value(key, form)}: {written}"
    return f"{json.dumps(key, ensure_ascii=False)}: {written}"


def _render_flow_yaml(value: RawValue) -> str:
    """Render a value in YAML's flow style; a text is plain where no reader doubts it."""
    if isinstance(value, dict):
        pairs = (
            f"{_render_flow_yaml(key)}: {_render_flow_yaml(inner)}"
            for key, inner in value.items()
        )
        return f"{{{', '.join(pairs)}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(_render_flow_yaml, value))}]"
    is_plain = isinstance(value, str) and _PLAIN.fullmatch(value) is not None
    if is_plain and str(value).lower() not in _WORDS_WITH_A_TYPE:
        return str(value)
    return json.dumps(value, ensure_ascii=False)


def render_value(value: RawValue, form: DocumentFormat) -> str:
    """Write a value as JSON or TOML text on one line."""
    if form is DocumentFormat.YAML:
        return _render_flow_yaml(value)
    if form is DocumentFormat.TOML and isinstance(value, dict):
        inner = ", ".join(_render_member(k, v, form) for k, v in value.items())
        return f"{{ {inner} }}" if inner else "{}"
    if form is DocumentFormat.TOML and isinstance(value, list):
        return f"[{', '.join(render_value(each, form) for each in value)}]"
    return json.dumps(value, ensure_ascii=False)
