"""Translate approved JSON Schemas of tool arguments into Cedar types.

A server's JSON Schema is untrusted until a person approves the tool. After that,
policies about the tool are validated against it: types, members, required members,
closed objects. Where the schema gives no type, the type comes from how the policy uses
a member.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from answerable.authorization.cedar.validation_schema import (
    ABSENT_TYPE,
    RECORD_TYPE,
    ArgumentTypes,
    AttributePath,
)
from answerable.model.json_key_lookalikes import JsonObject

# Tool as policies name it -> the JSON Schema of its arguments, as approved.
ApprovedSchemas = Mapping[str, str]
JsonSchema = Mapping[str, Any]
NO_APPROVED_SCHEMAS: ApprovedSchemas = {}

MAX_DEPTH = 16  # members within members
_SCALAR_TYPES = {
    "string": "String",
    "boolean": "Bool",
    "integer": "Long",
    "number": "Long",
}


@dataclass(frozen=True, slots=True)
class ArgumentSchema:
    """Argument schema of one tool.

    Attributes:
        members: Path -> Cedar type (empty if the schema gives none) and whether it is
            optional.
        closed: Paths of objects without additional members.
    """

    members: ArgumentTypes
    closed: frozenset[AttributePath]

    def apply_to_argument_types(self, argument_types: ArgumentTypes) -> ArgumentTypes:
        """Replace inferred types by the types that the schema declares."""
        found = dict(argument_types)
        for path, (kind, _) in argument_types.items():
            if path in self.members:
                said, may_miss = self.members[path]
                found[path] = (said or kind, may_miss)
            elif path[:-1] in self.closed:
                found[path] = (ABSENT_TYPE, False)
        return found

    def accepts_arguments(self, arguments: Mapping[str, object]) -> bool:
        """Return whether every argument is declared where the schema forbids others."""
        return all(self._accepts_members(path, arguments) for path in self.closed)

    def _accepts_members(
        self, path: AttributePath, arguments: Mapping[str, object]
    ) -> bool:
        """Return whether the closed object at a path has only declared members."""
        given: object = arguments
        for name in path:
            given = given.get(name) if isinstance(given, dict) else None
        if not isinstance(given, dict):
            return True
        nulls = given.nulls if isinstance(given, JsonObject) else ()
        return all((*path, name) in self.members for name in (*given, *nulls))


def schema_digest(schema: str) -> str:
    """Return 16 hex digits of the SHA-256 of a tool's schema; empty without one."""
    return hashlib.sha256(schema.encode()).hexdigest()[:16] if schema else ""


@lru_cache(1024)
def parse_argument_schema(schema: str) -> ArgumentSchema:
    """Parse a JSON Schema of arguments; an unreadable schema declares nothing."""
    try:
        said = _as_json_object(json.loads(schema))
    except (ValueError, RecursionError):
        said = {}
    members: dict[AttributePath, tuple[str, bool]] = {}
    closed: set[AttributePath] = {()} if _forbids_undeclared_properties(said) else set()
    for path, each, may_miss in _iterate_schema_properties((), said):
        members[path] = (_to_cedar_type(each), may_miss)
        # Of what is deeper, the members are not listed.
        if _forbids_undeclared_properties(each) and len(path) < MAX_DEPTH:
            closed.add(path)
    return ArgumentSchema(members, frozenset(closed))


def _iterate_schema_properties(
    parent: AttributePath, schema: JsonSchema
) -> Iterator[tuple[AttributePath, JsonSchema, bool]]:
    """Yield each property as (path, schema, is it optional), nested ones too."""
    required = schema.get("required")
    for name, said in _as_json_object(schema.get("properties")).items():
        each, path = _as_json_object(said), (*parent, name)
        is_required = isinstance(required, list) and name in required
        # To a policy a null is as if it were not there.
        yield path, each, not is_required or "null" in _list_json_types(each)
        if len(path) < MAX_DEPTH:
            yield from _iterate_schema_properties(path, each)


def _to_cedar_type(schema: JsonSchema) -> str:
    """Return the Cedar type of a schema; empty if it has none, or more than one."""
    types = _list_json_types(schema) - {"null"}
    if types == {"array"}:
        item = _to_cedar_type(_as_json_object(schema.get("items")))
        return f"Set<{item}>" if item and item != RECORD_TYPE else ""
    if types == {"object"}:
        return RECORD_TYPE if _as_json_object(schema.get("properties")) else ""
    return _SCALAR_TYPES.get(types.pop(), "") if len(types) == 1 else ""


def _list_json_types(schema: JsonSchema) -> set[str]:
    """Return the names in `type` as a set; empty without one."""
    said = schema.get("type")
    many = said if isinstance(said, list) else [said]
    return {each for each in many if isinstance(each, str)}


def _forbids_undeclared_properties(schema: JsonSchema) -> bool:
    """Return whether an object schema forbids undeclared properties."""
    return (
        isinstance(schema.get("properties"), dict)
        and schema.get("additionalProperties") is False
        and not schema.get("patternProperties")
    )


def _as_json_object(value: object) -> JsonSchema:
    """Return a JSON object, or an empty one for a value of another type."""
    return value if isinstance(value, dict) else {}
