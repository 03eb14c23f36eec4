"""Split files into Kubernetes objects: JSON and YAML, lists and single objects.

One object is in memory as a tree at a time, so a large list needs little more memory
than its text. A list that is cut off gives the objects before the cut, and a problem.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec
import yaml

from answerable.connectors.formats.document_node import (
    RawValue,
    build_object,
    check_tree_size,
    find_duplicate_keys,
)
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.formats.yaml_parser import (
    YamlComposer,
    iter_yaml_events,
)
from answerable.model.errors import ParseError

MAX_YAML_CHARACTERS = 64 << 20
_LIST = "List"
_ITEMS = re.compile(r'"items"\s*:\s*\[')
_LIST_KIND = re.compile(r'"kind"\s*:\s*"([A-Za-z]{0,80})List"')
_SEPARATORS = " \t\r\n,"


@dataclass(frozen=True, slots=True)
class FileObject:
    """Object of a file.

    Attributes:
        raw: Its tree; None where `fault` says why there is none.
        place: File with the pointer or the line of the object.
        listed: Number of the list that contains it within the file; -1 for a single
            object.
        list_kind: Kind of the list's items where the list states it, e.g. `Pod`.
        whole: False for an item of a list that is cut off.
    """

    raw: RawValue
    place: str
    listed: int = -1
    list_kind: str = ""
    list_version: str = ""
    fault: str = ""
    whole: bool = True


@dataclass(frozen=True, slots=True)
class ListHead:
    """List of a file, which may be empty.

    Attributes:
        number: Number of the list within the file.
        kind: Kind of its items where the list states it.
    """

    number: int
    kind: str
    place: str


def iter_file_objects(text: str, place: str) -> Iterator[FileObject | ListHead]:
    """Yield the objects of a file, and its lists; invalid ones have a fault.

    Raises:
        ParseError: The rest of the file is not JSON or YAML.
    """
    parts = (
        _iter_json_objects(text, place)
        if text.lstrip()[:1] in ("{", "[")
        else _iter_yaml_objects(text, place)
    )
    for part in parts:
        if isinstance(part, FileObject) and not part.fault:
            yield _refuse_duplicate_keys(part)
        else:
            yield part


def _refuse_duplicate_keys(part: FileObject) -> FileObject:
    """Return an object with a fault where a key is repeated.

    The API server refuses such a manifest under strict validation and uses the last
    value otherwise: which one is in force is not known.
    """
    keys = find_duplicate_keys(part.raw)
    if not keys:
        return part
    name = redact_name(keys[0].rpartition("/")[2][:80])
    return replace(part, raw=None, fault=f"duplicate key: {name}")


class _ListFields(msgspec.Struct, rename="camel"):
    """Members of a JSON document that make it a list."""

    kind: str = ""
    api_version: str = ""
    items: list[msgspec.Raw] | None = None


def _iter_json_objects(text: str, place: str) -> Iterator[FileObject | ListHead]:
    """Yield the objects of concatenated JSON documents."""
    scanner = json.JSONDecoder(object_pairs_hook=_have_repeated_names)
    at, number = _skip_white_space(text, 0), 0
    while at < len(text):
        fault, end = "", at
        try:
            repeated, end = scanner.raw_decode(text, at)
        except json.JSONDecodeError as error:
            fault = f"not JSON: {error.msg.removesuffix(' at')} (offset {error.pos})"
        except (RecursionError, ValueError):
            fault = "the JSON cannot be read: nested too deeply, or a number too long"
        if fault:
            yield from _iter_items_before_cut(text[at:], place, number)
            raise ParseError(fault, place)
        document = text if (at, end) == (0, len(text)) else text[at:end]
        here = place if not number else f"{place}#{number}"
        if repeated is True:
            yield FileObject(None, here, fault="duplicate key in the outermost object")
        else:
            yield from _iter_json_document(document, here, number)
        at, number = _skip_white_space(text, end), number + 1


def _have_repeated_names(pairs: list[tuple[str, object]]) -> bool:
    """Return whether an object repeats a name; nothing of it is kept."""
    return len({name for name, _ in pairs}) != len(pairs)


def _skip_white_space(text: str, at: int) -> int:
    """Return the offset after white space."""
    while at < len(text) and text[at] in _SEPARATORS[:-1]:
        at += 1
    return at


def _iter_json_document(
    document: str, place: str, number: int
) -> Iterator[FileObject | ListHead]:
    """Yield the object of a JSON document, or the items of a list."""
    head = _ListFields()
    if document.lstrip().startswith("["):
        head = _ListFields(_LIST, "", _decode_array(document))
    else:
        try:
            head = msgspec.json.decode(document, type=_ListFields)
        except msgspec.DecodeError:
            head.items = None
    if not head.kind.endswith(_LIST) or head.items is None:
        yield _parse_json_object(document, FileObject(None, place))
        return
    kind = head.kind.removesuffix(_LIST)
    yield ListHead(number, kind, place)
    for index, item in enumerate(head.items):
        empty = FileObject(
            None,
            f"{place}#/items/{index}",
            number,
            kind,
            head.api_version if kind else "",
        )
        yield _parse_json_object(bytes(item).decode(), empty)


def _decode_array(document: str) -> list[msgspec.Raw]:
    """Decode an array of objects."""
    try:
        return msgspec.json.decode(document, type=list[msgspec.Raw])
    except msgspec.DecodeError:
        return []


def _parse_json_object(text: str, empty: FileObject) -> FileObject:
    """Parse one object; its fault says why it is invalid."""
    fault, raw = "", None
    try:
        raw = json.loads(text, object_pairs_hook=build_object)
        check_tree_size(raw)
    except ParseError as error:
        fault = error.reason
    except (RecursionError, ValueError):
        fault = "not JSON"
    return replace(empty, fault=fault) if fault else replace(empty, raw=raw)


def _iter_items_before_cut(text: str, place: str, number: int) -> Iterator[FileObject]:
    """Yield the whole items at the start of a list that is cut off."""
    start = next(_ITEMS.finditer(text), None)
    if start is None:
        return
    kind = next(_LIST_KIND.finditer(text, 0, start.start()), None)
    scanner = json.JSONDecoder(object_pairs_hook=_have_repeated_names)
    at, index = start.end(), 0
    while True:
        while at < len(text) and text[at] in _SEPARATORS:
            at += 1
        try:
            _, end = scanner.raw_decode(text, at)
        except (RecursionError, ValueError):
            return
        where = f"{place}#/items/{index}"
        empty = FileObject(None, where, number, kind[1] if kind else "", whole=False)
        yield _parse_json_object(text[at:end], empty)
        at, index = end, index + 1


@dataclass(slots=True)
class _ObjectComposer(YamlComposer):
    """Composer that gives out the items of a list one by one.

    kubectl writes `kind: List` after the items, so an item with a kind of its own is
    given out before the kind of the list is known.

    Attributes:
        ready: Items that are whole, with the line of each.
        line: Line of the open item.
        start: Line of the document.
    """

    ready: list[tuple[RawValue, int]] = field(default_factory=list)
    line: int = 0
    start: int = 0

    def handle_event(self, event: yaml.Event) -> None:
        """Update the tree under construction with one parser event."""
        if isinstance(event, yaml.MappingStartEvent) and (
            not self.stack or self._is_list_of_items()
        ):
            mark = event.start_mark
            self.line = mark.line + 1 if mark else 0
            self.start = self.start or self.line
        # `super()` without arguments fails in a dataclass with slots.
        YamlComposer.handle_event(self, event)

    def attach_value(self, value: RawValue) -> None:
        """Attach a value to the open collection, or give out a whole item."""
        item = isinstance(value, dict) and "kind" in value and self._is_list_of_items()
        if item:
            self.ready.append((value, self.line))
            self.total = 0
        else:
            YamlComposer.attach_value(self, value)

    def _is_list_of_items(self) -> bool:
        """Return whether the innermost collection is `items` of the document."""
        if len(self.stack) != 2:
            return False
        outer, inner = self.stack
        return (
            isinstance(outer.content, dict)
            and outer.key == "items"
            and isinstance(inner.content, list)
        )


def _iter_yaml_objects(text: str, place: str) -> Iterator[FileObject | ListHead]:
    """Yield the objects of a YAML stream, and the items of its lists."""
    if len(text) > MAX_YAML_CHARACTERS:
        megabytes = MAX_YAML_CHARACTERS >> 20
        raise ParseError(
            f"more than {megabytes} MiB of YAML; export JSON instead: -o json", place
        )
    composer, number, streamed = _ObjectComposer(), 0, 0
    for event in iter_yaml_events(text):
        composer.handle_event(event)
        for value, line in composer.ready:
            yield _check_yaml_object(value, FileObject(None, f"{place}:{line}", number))
            streamed += 1
        composer.ready.clear()
        if isinstance(event, yaml.DocumentEndEvent):
            yield from _finish_yaml_document(composer, place, number, streamed)
            composer, number, streamed = _ObjectComposer(), number + 1, 0


def _finish_yaml_document(
    composer: _ObjectComposer, place: str, number: int, streamed: int
) -> Iterator[FileObject | ListHead]:
    """Yield the object of a document, or the items that are left of its list."""
    root, here = composer.root, f"{place}:{composer.start}"
    kind = root.get("kind") if isinstance(root, dict) else None
    items = root.get("items") if isinstance(root, dict) else None
    is_list = isinstance(kind, str) and kind.endswith(_LIST) and isinstance(items, list)
    if not is_list:
        if streamed:
            fault = "items without a final `kind: List`: the file is truncated"
            yield FileObject(None, here, number, fault=fault, whole=False)
        elif root is not None:
            yield _check_yaml_object(root, FileObject(None, here))
        return
    kind_of_items = str(kind).removesuffix(_LIST)
    version = root.get("apiVersion") if isinstance(root, dict) else ""
    yield ListHead(number, kind_of_items, here)
    for index, item in enumerate(items if isinstance(items, list) else ()):
        empty = FileObject(
            None,
            f"{here}#/items/{index}",
            number,
            kind_of_items,
            str(version or "") if kind_of_items else "",
        )
        yield _check_yaml_object(item, empty)


def _check_yaml_object(value: RawValue, empty: FileObject) -> FileObject:
    """Return an object with its tree, or with a fault where aliases make it too large."""
    fault = ""
    try:
        check_tree_size(value)
    except ParseError as error:
        fault = error.reason
    return replace(empty, fault=fault) if fault else replace(empty, raw=value)
