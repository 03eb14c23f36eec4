"""Build the Cedar authorization request: principal, action, resource and context.

One view serves the Cedar engine and the compiled conditions. Arguments are parsed
strictly: duplicate members or invalid JSON leave no arguments, and a policy that reads
one errs. A number that Cedar cannot represent (fractions, beyond 64 bits) equals no
number in a policy; a whole number equals itself in every notation (`1e2`, `100.0`). A
null member counts as absent.
"""

import json
from collections.abc import Collection
from contextlib import suppress

import msgspec

from answerable.authorization.cedar.mcp_actions import (
    ENTITY_TYPES,
    SERVER_TYPE,
    WITH_ARGUMENTS,
)
from answerable.model.decision import AuthorizationRequest
from answerable.model.json_key_lookalikes import JsonObject
from answerable.model.json_value_count import (
    MAX_ARGUMENT_VALUES,
    exceeds_json_value_count,
)

_LEAST, _MOST = -(2**63), 2**63 - 1
# Members that Cedar's JSON form takes for something else.
_RESERVED_KEYS = frozenset({"__entity", "__extn", "__expr"})
OTHER_TYPE = "Other"


class EntityUid:
    """Cedar entity type and id; encoded in JSON as an `__entity` escape."""

    __slots__ = ("id", "type")

    def __init__(self, type: str, id: str) -> None:
        self.type, self.id = type, id

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, EntityUid)
            and self.id == other.id
            and self.type == other.type
        )

    def __hash__(self) -> int:
        return hash((self.type, self.id))

    def __repr__(self) -> str:
        return f"{self.type}::{self.id!r}"

    def to_json(self) -> dict[str, str]:
        """Return the JSON form of an entity reference."""
        return {"type": self.type, "id": self.id}


class UnreadableArguments(ValueError):  # noqa: N818 - the arguments are
    """The arguments are not JSON with a single reading."""


def build_resource_uid(request: AuthorizationRequest) -> EntityUid:
    """Return the entity of the resource that a request acts on."""
    kind = ENTITY_TYPES.get(request.target)
    if kind is None:
        return EntityUid(SERVER_TYPE, f"server:{request.server}")
    return EntityUid(kind, f"{request.target}:mcp/{request.server}/{request.name}")


class CedarRequest:
    """A request in Cedar's terms, built lazily."""

    __slots__ = ("_context", "request")

    def __init__(self, request: AuthorizationRequest) -> None:
        self.request = request
        self._context: dict[str, object] | None = None

    @property
    def principal(self) -> EntityUid:
        """Return the Cedar principal: the agent."""
        return EntityUid("Agent", self.request.agent)

    @property
    def action(self) -> EntityUid:
        """Return the MCP method."""
        return EntityUid("Action", self.request.action)

    @property
    def resource(self) -> EntityUid:
        """Return the resource entity."""
        return build_resource_uid(self.request)

    @property
    def name(self) -> str:
        """Return the name of the resource, or of the server."""
        request = self.request
        return request.name if request.target in ENTITY_TYPES else request.server

    @property
    def context(self) -> dict[str, object]:
        """Return the context: `identity`, `person` and `arguments`, each if present."""
        if self._context is None:
            self._context = _build_cedar_context(self.request)
        return self._context

    def scope_json(self) -> dict[str, object]:
        """Return principal, action and resource in Cedar's JSON form."""
        return {
            "principal": self.principal.to_json(),
            "action": self.action.to_json(),
            "resource": self.resource.to_json(),
        }

    def context_json(self, reads: Collection[str] | None = None) -> str:
        """Return the context in Cedar's JSON form.

        Args:
            reads: Argument members that are read; None for all.
        """
        context = self.context
        given = context.get("arguments")
        if reads is not None and isinstance(given, dict):
            read = {name: given[name] for name in reads if name in given}
            context = context | {"arguments": read}
        return _encoder.encode(context).decode()

    def entities_json(self) -> str:
        """Return the entities of the request as JSON."""
        server, resource = (
            EntityUid(SERVER_TYPE, f"server:{self.request.server}"),
            self.resource,
        )
        parents = [] if resource == server else [server.to_json()]
        found: list[dict[str, object]] = [
            {"uid": self.principal.to_json(), "attrs": {}, "parents": []},
            {
                "uid": resource.to_json(),
                "attrs": {"name": self.name},
                "parents": parents,
            },
        ]
        if parents:
            attrs = {"name": self.request.server}
            found.append({"uid": server.to_json(), "attrs": attrs, "parents": []})
        return json.dumps(found)


def _build_cedar_context(request: AuthorizationRequest) -> dict[str, object]:
    """Collect identity, person and parsed arguments, each if present."""
    found: dict[str, object] = {}
    if request.identity:
        found["identity"] = EntityUid("Identity", request.identity)
    if request.person:
        found["person"] = EntityUid("Person", request.person)
    if request.action in WITH_ARGUMENTS:
        with suppress(UnreadableArguments):  # without them a policy that reads any errs
            found["arguments"] = parse_arguments(request.arguments)
    return found


def parse_arguments(arguments: bytes | memoryview) -> dict[str, object]:
    """Parse arguments as policies see them.

    Raises:
        Unreadable: They are no JSON object, ambiguous, or too many values.
    """
    if not arguments:
        return {}
    data = bytes(arguments)
    if exceeds_json_value_count(data, MAX_ARGUMENT_VALUES):
        raise UnreadableArguments(
            f"the arguments have more than {MAX_ARGUMENT_VALUES} values"
        )
    try:
        read = _decoder.decode(str(data, "utf-8"))
    except (ValueError, RecursionError):
        raise UnreadableArguments("ambiguous arguments") from None
    if not isinstance(read, dict):
        raise UnreadableArguments("the arguments are not a JSON object")
    return read


def _convert_object_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Convert a JSON object; reject duplicate keys, and note members that are null."""
    found = dict(pairs)
    if len(found) != len(pairs):
        raise UnreadableArguments("duplicate member in a JSON object")
    read = {
        _escape_key(name): _convert_json_value(value)
        for name, value in pairs
        if value is not None
    }
    if len(read) == len(pairs):
        return read
    return JsonObject(read, (name for name, value in pairs if value is None))


def _escape_key(name: str) -> str:
    """Escape a key that Cedar reserves or that is not valid Unicode."""
    if name in _RESERVED_KEYS or not _is_valid_unicode(name):
        return "\0" + name.encode("ascii", "backslashreplace").decode("ascii")
    return name


def _convert_json_value(value: object) -> object:
    """Convert a JSON value; one that Cedar cannot express becomes an entity."""
    if isinstance(value, list):
        return [
            EntityUid(OTHER_TYPE, "null") if e is None else _convert_json_value(e)
            for e in value
        ]
    if isinstance(value, float):
        return _convert_float(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if _LEAST <= value <= _MOST else EntityUid(OTHER_TYPE, str(value))
    if isinstance(value, str) and not _is_valid_unicode(value):
        return EntityUid(OTHER_TYPE, ascii(value))
    return value


def _convert_float(value: float) -> object:
    """Convert a whole number to int, another float to an entity."""
    if value.is_integer() and _LEAST <= value <= _MOST:
        return int(value)
    return EntityUid(OTHER_TYPE, repr(value))


def _is_valid_unicode(value: str) -> bool:
    """Return whether a string is valid Unicode (without lone surrogates)."""
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _reject_nan_and_infinity(name: str) -> object:
    """Reject NaN and Infinity, which are not JSON."""
    raise UnreadableArguments(f"{name} is not JSON")


def encode_entity(value: object) -> object:
    """Encode entities, which JSON has no type for."""
    if isinstance(value, EntityUid):
        return {"__entity": value.to_json()}
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=encode_entity)
_decoder = json.JSONDecoder(
    object_pairs_hook=_convert_object_members, parse_constant=_reject_nan_and_infinity
)
