"""Approved JSON Schemas of tool arguments as Cedar types.

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

from answerable.authorization.cedar.schema import ABSENT, RECORD, Path, Uses
from answerable.model.json_keys import JsonObject

# Tool as policies name it -> the JSON Schema of its arguments, as approved.
Approved = Mapping[str, str]
Schema = Mapping[str, Any]
NOTHING_APPROVED: Approved = {}

DEEPEST = 16  # members within members
_PLAIN = {"string": "String", "boolean": "Bool", "integer": "Long", "number": "Long"}


@dataclass(frozen=True, slots=True)
class Declared:
    """Argument schema of one tool.

    Attributes:
        members: Path -> Cedar type (empty if the schema gives none) and whether it is
            optional.
        closed: Paths of objects without additional members.
    """

    members: Uses
    closed: frozenset[Path]

    def hold(self, uses: Uses) -> Uses:
        """Replace inferred types by the types that the schema declares."""
        found = dict(uses)
        for path, (kind, _) in uses.items():
            if path in self.members:
                said, may_miss = self.members[path]
                found[path] = (said or kind, may_miss)
            elif path[:-1] in self.closed:
                found[path] = (ABSENT, False)
        return found

    def takes(self, arguments: Mapping[str, object]) -> bool:
        """Tell whether a call has no member that a closed object leaves undeclared."""
        return all(self._takes(path, arguments) for path in self.closed)

    def _takes(self, path: Path, arguments: Mapping[str, object]) -> bool:
        given: object = arguments
        for name in path:
            given = given.get(name) if isinstance(given, dict) else None
        if not isinstance(given, dict):
            return True
        nulls = given.nulls if isinstance(given, JsonObject) else ()
        return all((*path, name) in self.members for name in (*given, *nulls))


def stamp(schema: str) -> str:
    """Return the digest of a schema; empty for none."""
    return hashlib.sha256(schema.encode()).hexdigest()[:16] if schema else ""


@lru_cache(1024)
def declared(schema: str) -> Declared:
    """Parse a JSON Schema of arguments; an unreadable schema declares nothing."""
    try:
        said = _object(json.loads(schema))
    except (ValueError, RecursionError):
        said = {}
    members: dict[Path, tuple[str, bool]] = {}
    closed: set[Path] = {()} if _is_closed(said) else set()
    for path, each, may_miss in _members((), said):
        members[path] = (_kind(each), may_miss)
        # Of what is deeper, the members are not listed.
        if _is_closed(each) and len(path) < DEEPEST:
            closed.add(path)
    return Declared(members, frozenset(closed))


def _members(at: Path, schema: Schema) -> Iterator[tuple[Path, Schema, bool]]:
    required = schema.get("required")
    for name, said in _object(schema.get("properties")).items():
        each, path = _object(said), (*at, name)
        is_required = isinstance(required, list) and name in required
        # To a policy a null is as if it were not there.
        yield path, each, not is_required or "null" in _types(each)
        if len(path) < DEEPEST:
            yield from _members(path, each)


def _kind(schema: Schema) -> str:
    """Return the Cedar type of a schema; empty if it has none, or more than one."""
    types = _types(schema) - {"null"}
    if types == {"array"}:
        item = _kind(_object(schema.get("items")))
        return f"Set<{item}>" if item and item != RECORD else ""
    if types == {"object"}:
        return RECORD if _object(schema.get("properties")) else ""
    return _PLAIN.get(types.pop(), "") if len(types) == 1 else ""


def _types(schema: Schema) -> set[str]:
    said = schema.get("type")
    many = said if isinstance(said, list) else [said]
    return {each for each in many if isinstance(each, str)}


def _is_closed(schema: Schema) -> bool:
    return (
        isinstance(schema.get("properties"), dict)
        and schema.get("additionalProperties") is False
        and not schema.get("patternProperties")
    )


def _object(said: object) -> Schema:
    return said if isinstance(said, dict) else {}
