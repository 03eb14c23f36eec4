"""Parse YAML safely: plain data is built from parser events, within bounds.

Scalars stay texts except the YAML 1.2 core booleans and null (so the workflow key
`on` stays `on`, and a version is not a number). Aliases are followed by reference, and
counted expanded by `check_tree_size`; merges are copies and counted here; tags are
ignored.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field

import yaml

from answerable.connectors.formats.document_node import (
    DEPTH_LIMIT,
    NODE_LIMIT,
    ObjectWithDuplicates,
    RawValue,
    check_tree_size,
)
from answerable.model.errors import ParseError

YAML_LIMIT = 1 << 20

_PLAIN_SCALARS: dict[str, bool | None] = {
    "": None,
    "~": None,
    "null": None,
    "Null": None,
    "NULL": None,
    "true": True,
    "True": True,
    "TRUE": True,
    "false": False,
    "False": False,
    "FALSE": False,
}
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


def parse_yaml(text: str) -> RawValue:
    """Parse the first document of a YAML stream.

    Raises:
        ParseError: Not YAML, or too large, too deep or with too many aliases. The
            message has a line and column, never the text.
    """
    if len(text) > YAML_LIMIT:
        raise ParseError(f"the YAML file has more than {YAML_LIMIT} characters")
    composer = YamlComposer()
    for event in iter_yaml_events(text):
        if isinstance(event, yaml.DocumentEndEvent):
            break
        composer.handle_event(event)
    check_tree_size(composer.root)
    return composer.root


def iter_yaml_events(text: str) -> Iterator[yaml.Event]:
    """Yield the parser events of a YAML stream.

    Raises:
        ParseError: Not YAML. The message has a line and column, never the text.
    """
    reason = ""
    try:
        yield from yaml.parse(text, Loader=_Loader)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        reason = f"line {mark.line + 1}, column {mark.column + 1}" if mark else "syntax"
    except (yaml.YAMLError, ValueError, RecursionError):
        reason = "a character that YAML does not allow"
    if reason:
        raise ParseError(f"not YAML: {reason}")


@dataclass(slots=True)
class OpenCollection:
    """Open collection during parsing."""

    content: dict[str, RawValue] | list[RawValue]
    anchor: str | None
    key: str | None = None
    duplicate_keys: list[str] = field(default_factory=list)
    merged: list[RawValue] = field(default_factory=list)


@dataclass(slots=True)
class YamlComposer:
    """Composer of the tree from events, with an explicit stack."""

    root: RawValue = None
    stack: list[OpenCollection] = field(default_factory=list)
    anchors: dict[str, RawValue] = field(default_factory=dict)
    total: int = 0

    def handle_event(self, event: yaml.Event) -> None:
        """Update the tree under construction with one parser event."""
        if isinstance(event, yaml.ScalarEvent):
            self._add_scalar(event)
        elif isinstance(event, yaml.AliasEvent):
            self.attach_value(self.anchors.get(event.anchor or ""))
        elif isinstance(event, yaml.MappingStartEvent):
            self.open_collection(OpenCollection({}, event.anchor))
        elif isinstance(event, yaml.SequenceStartEvent):
            self.open_collection(OpenCollection([], event.anchor))
        elif isinstance(event, yaml.CollectionEndEvent):
            self._close_collection()

    def _add_scalar(self, event: yaml.ScalarEvent) -> None:
        """Add a scalar, typed unless quoted."""
        value: RawValue = event.value
        top = self.stack[-1] if self.stack else None
        key_is_next = top and isinstance(top.content, dict) and top.key is None
        if event.implicit[0] and not key_is_next:
            value = _PLAIN_SCALARS.get(event.value, event.value)
        if event.anchor:
            self.anchors[event.anchor] = value
        self.attach_value(value)

    def open_collection(self, new: OpenCollection) -> None:
        """Start a mapping or a sequence."""
        if len(self.stack) >= DEPTH_LIMIT:
            raise ParseError(
                f"the document has more than {DEPTH_LIMIT} levels of nesting"
            )
        self.stack.append(new)

    def _close_collection(self) -> None:
        """End a collection, and apply its merge keys (`<<`)."""
        done = self.stack.pop()
        made: RawValue = done.content
        if isinstance(made, dict):
            for base in done.merged:
                if isinstance(base, dict):
                    self._count_values(len(base))
                    made = {**base, **made}
            if done.duplicate_keys:
                doubled = ObjectWithDuplicates(made)
                doubled.names = tuple(dict.fromkeys(done.duplicate_keys))
                made = doubled
        if done.anchor:
            self.anchors[done.anchor] = made
        self.attach_value(made)

    def _count_values(self, values: int) -> None:
        """Count values; raises above the limit."""
        self.total += values
        if self.total > NODE_LIMIT:
            raise ParseError(f"the document has more than {NODE_LIMIT} values")

    def attach_value(self, value: RawValue) -> None:
        """Attach a value to the open collection, or as the root."""
        self._count_values(1)
        if not self.stack:
            self.root = value
            return
        top = self.stack[-1]
        if isinstance(top.content, list):
            top.content.append(value)
        elif top.key is None:
            top.key = value if isinstance(value, str) else ""
        else:
            self._set_member(top, top.content, top.key, value)
            top.key = None

    @staticmethod
    def _set_member(
        collection: OpenCollection,
        mapping: dict[str, RawValue],
        key: str,
        value: RawValue,
    ) -> None:
        """Set a member; records merge keys and repeated keys."""
        if key == "<<" and isinstance(value, dict | list):
            collection.merged += value if isinstance(value, list) else [value]
            return
        if key in mapping:
            collection.duplicate_keys.append(key)
        mapping[key] = value
