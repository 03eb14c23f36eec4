"""Column metadata of document fields, and the flat columns of an item type.

Table, CSV, HTML list, OpenAPI schema and the field tables of the documentation derive
from this metadata: `owner: Annotated[OwnerItem, Column("The owner.", "owner", 1)]`.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache, reduce
from operator import or_
from types import NoneType, UnionType
from typing import (
    Annotated,
    Any,
    Literal,
    NotRequired,
    Required,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from answerable.model.provenance import WrittenBy

HIDDEN = 99  # importance of a field that a table shows only on request


# Formats of a value in a table and in an HTML list.
Format = Literal[
    "text",
    "id",
    "ids",
    "short-id",
    "identity",
    "identities",
    "time",
    "day",
    "minute",
    "second",
    "count",
    "number",
    "score",
    "words",
    "owner",
    "run-mode",
    "tool",
    "tools",
    "agent-tools",
    "credential",
    "lifetime",
    "places",
    "presence",
    "target",
    "names",
    "digest",
    "hop",
    "link",
    "effect",
    "flag",
    "found",
    "pairs",
    "grants",
    "seconds",
]


@dataclass(frozen=True, slots=True)
class Column:
    """Column metadata of a document field.

    Attributes:
        means: Meaning of the field, for the documentation.
        label: Table head; the name of the field if empty.
        importance: 0 is kept longest in a narrow table; `HIDDEN` only on request.
        floor: Minimum width in cells; 0 if the column is never cut.
        right: Align to the right.
        empty: Text for an empty value.
        fallback: Field whose value stands in for an empty one.
        sort: Name of the sort order in the web and the API; by default the label.
        written_by: Party that could have written the value, if it is always the same.
    """

    means: str
    label: str = ""
    importance: int = HIDDEN
    format: Format = "text"
    floor: int = 0
    right: bool = False
    empty: str = ""
    fallback: str = ""
    sort: str = ""
    written_by: WrittenBy | None = None


@dataclass(frozen=True, slots=True)
class DocumentColumn:
    """Flat column of a document: a field, or a field of a nested object.

    Attributes:
        name: Column name in CSV: `owner_state` is `state` in `owner`.
        path: Keys from the item to the value.
        declared: Its metadata.
        type: Python type of the value, without null.
        nullable: Whether the value can be null.
        optional: Whether the field can be absent.
    """

    name: str
    path: tuple[str, ...]
    declared: Column
    type: Any = str
    nullable: bool = False
    optional: bool = False

    @property
    def label(self) -> str:
        """Return the table head."""
        return self.declared.label or self.name.replace("_", " ")

    @property
    def sort(self) -> str:
        """Return the name of the sort order in the web and the API."""
        return self.declared.sort or self.label.replace(" ", "-")

    @property
    def is_object(self) -> bool:
        """Return whether the fields of the value are columns of their own."""
        return is_typeddict(self.type)

    @property
    def nested(self) -> type | None:
        """Return the type of the nested object, or of the objects in the list."""
        inner = get_args(self.type)[0] if get_origin(self.type) is list else self.type
        return inner if is_typeddict(inner) else None

    @property
    def is_visible(self) -> bool:
        """Return whether a table shows the column without request."""
        return self.declared.importance < HIDDEN

    def get_value_of_item(self, item: Mapping[str, object]) -> Any:
        """Return the value in an item; None if it is absent."""
        value: object = item
        for key in self.path:
            value = value.get(key) if isinstance(value, Mapping) else None
        return value


def _unwrap_type_hint(hint: Any) -> tuple[Any, Column | None, bool, bool]:
    """Split a type hint into type, column metadata, nullability and optionality."""
    column, nullable, optional = None, False, False
    while True:
        origin, arguments = get_origin(hint), get_args(hint)
        if origin is Annotated:
            found = (each for each in arguments[1:] if isinstance(each, Column))
            column = next(found, column)
            hint = arguments[0]
        elif origin in (NotRequired, Required):
            optional = origin is NotRequired
            hint = arguments[0]
        elif origin in (Union, UnionType) and NoneType in arguments:
            nullable = True
            hint = reduce(or_, (each for each in arguments if each is not NoneType))
        else:
            return hint, column, nullable, optional


@cache
def list_item_fields(item_type: type) -> tuple[DocumentColumn, ...]:
    """List the fields of an item type, a nested object as one."""
    fields = []
    for name, hint in get_type_hints(item_type, include_extras=True).items():
        kind, column, nullable, optional = _unwrap_type_hint(hint)
        declared = column or Column("")
        fields.append(DocumentColumn(name, (name,), declared, kind, nullable, optional))
    return tuple(fields)


@cache
def list_item_columns(item_type: type) -> tuple[DocumentColumn, ...]:
    """List the flat columns of an item type; a nested object comes before its fields.

    `value` in a nested object bears the name of the object, and the fields of `hops`
    bear their own: `person`, `person_status`.
    """
    return tuple(_iterate_prefixed_columns(item_type, "", ()))


def _iterate_prefixed_columns(
    item_type: type, prefix: str, path: tuple[str, ...]
) -> Iterator[DocumentColumn]:
    """Iterate over the columns of a type whose names start with a prefix."""
    for field in list_item_fields(item_type):
        name = f"{prefix}_{field.name}" if prefix else field.name
        name = prefix if prefix and field.name == "value" else name
        found = replace(field, name=name, path=(*path, field.name))
        yield found
        if found.is_object:
            inner = "" if field.name == "hops" else name
            yield from _iterate_prefixed_columns(field.type, inner, found.path)
