"""What a policy may read of a request, once for Cedar and once for what is compiled.

Arguments are what the agent asks to do. They are read in one way: a member that stands
twice, or JSON that is none, leaves no arguments at all, and a policy that reads one
fails. What Cedar has no number for (fractions, beyond 64 bits) is there and equals no
number that a policy can write, so comparing it fails; a whole number is the same number
however it is spelled (`1e2`, `100.0`). A null member is as if it were not there.
Reading stops everything else in a worker, so more than `MOST_VALUES` are not read.
"""

import json
from collections.abc import Collection
from contextlib import suppress

import msgspec

from answerable.enforce.cedar.actions import KINDS, SERVER, WITH_ARGUMENTS
from answerable.model.decision import Request
from answerable.model.json_values import MOST_VALUES, has_more_values
from answerable.model.key_names import JsonObject

_LEAST, _MOST = -(2**63), 2**63 - 1
# Members that Cedar's JSON form takes for something else.
_ESCAPES = frozenset({"__entity", "__extn", "__expr"})
OTHER = "Other"


class Uid:
    """An entity's type and id; in JSON an escape of Cedar's (`entity_of`)."""

    __slots__ = ("id", "type")

    def __init__(self, type: str, id: str) -> None:
        self.type, self.id = type, id

    def __eq__(self, other: object) -> bool:
        return (
            isinstance(other, Uid) and self.id == other.id and self.type == other.type
        )

    def __hash__(self) -> int:
        return hash((self.type, self.id))

    def __repr__(self) -> str:
        return f"{self.type}::{self.id!r}"

    def named(self) -> dict[str, str]:
        """The form that Cedar takes where an entity is expected."""
        return {"type": self.type, "id": self.id}


class Unreadable(ValueError):  # noqa: N818 - the arguments are
    """The arguments can be read in more ways than one, or in none."""


def resource_of(request: Request) -> Uid:
    """Name what is acted on."""
    kind = KINDS.get(request.target)
    if kind is None:
        return Uid(SERVER, f"server:{request.server}")
    return Uid(kind, f"{request.target}:mcp/{request.server}/{request.name}")


class Facts:
    """One request as policies see it."""

    __slots__ = ("_context", "request")

    def __init__(self, request: Request) -> None:
        self.request = request
        self._context: dict[str, object] | None = None

    @property
    def principal(self) -> Uid:
        """Agent."""
        return Uid("Agent", self.request.agent)

    @property
    def action(self) -> Uid:
        """MCP method."""
        return Uid("Action", self.request.action)

    @property
    def resource(self) -> Uid:
        """What is acted on."""
        return resource_of(self.request)

    @property
    def name(self) -> str:
        """Name of that."""
        request = self.request
        return request.name if request.target in KINDS else request.server

    @property
    def context(self) -> dict[str, object]:
        """The context: `identity`, `person` and `arguments`, each where there is one."""
        if self._context is None:
            self._context = _context(self.request)
        return self._context

    def about(self) -> dict[str, object]:
        """Who does what to what, in the form that Cedar takes."""
        return {
            "principal": self.principal.named(),
            "action": self.action.named(),
            "resource": self.resource.named(),
        }

    def in_context(self, reads: Collection[str] | None = None) -> str:
        """The context in the form that Cedar takes.

        Args:
            reads: Members of the arguments that are read; None for all.
        """
        context = self.context
        given = context.get("arguments")
        if reads is not None and isinstance(given, dict):
            read = {name: given[name] for name in reads if name in given}
            context = context | {"arguments": read}
        return _encoder.encode(context).decode()

    def entities(self) -> str:
        """The entities that it is about, as JSON: an id of no other name says more."""
        server, resource = Uid(SERVER, f"server:{self.request.server}"), self.resource
        parents = [] if resource == server else [server.named()]
        found: list[dict[str, object]] = [
            {"uid": self.principal.named(), "attrs": {}, "parents": []},
            {"uid": resource.named(), "attrs": {"name": self.name}, "parents": parents},
        ]
        if parents:
            attrs = {"name": self.request.server}
            found.append({"uid": server.named(), "attrs": attrs, "parents": []})
        return json.dumps(found)


def _context(request: Request) -> dict[str, object]:
    found: dict[str, object] = {}
    if request.identity:
        found["identity"] = Uid("Identity", request.identity)
    if request.person:
        found["person"] = Uid("Person", request.person)
    if request.action in WITH_ARGUMENTS:
        with suppress(Unreadable):  # without them a policy that reads any errs
            found["arguments"] = read_arguments(request.arguments)
    return found


def read_arguments(arguments: bytes | memoryview) -> dict[str, object]:
    """Read arguments as policies see them.

    Raises:
        Unreadable: They are no JSON object, read in two ways, or too many values.
    """
    if not arguments:
        return {}
    data = bytes(arguments)
    if has_more_values(data, MOST_VALUES):
        raise Unreadable(f"arguments of more than {MOST_VALUES} values")
    try:
        read = _decoder.decode(str(data, "utf-8"))
    except (ValueError, RecursionError):
        raise Unreadable("arguments that cannot be read in one way") from None
    if not isinstance(read, dict):
        raise Unreadable("arguments that are no object")
    return read


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a member that stands twice")
    read = {_key(name): _value(value) for name, value in pairs if value is not None}
    if len(read) == len(pairs):
        return read
    return JsonObject(read, (name for name, value in pairs if value is None))


def _key(name: str) -> str:
    if name in _ESCAPES or not _is_text(name):
        return "\0" + name.encode("ascii", "backslashreplace").decode("ascii")
    return name


def _value(value: object) -> object:
    if isinstance(value, list):
        return [Uid(OTHER, "null") if e is None else _value(e) for e in value]
    if isinstance(value, float):
        return _whole(value)
    if isinstance(value, int) and not isinstance(value, bool):
        return value if _LEAST <= value <= _MOST else Uid(OTHER, str(value))
    if isinstance(value, str) and not _is_text(value):
        return Uid(OTHER, ascii(value))
    return value


def _whole(value: float) -> object:
    if value.is_integer() and _LEAST <= value <= _MOST:
        return int(value)
    return Uid(OTHER, repr(value))


def _is_text(value: str) -> bool:
    if value.isascii():
        return True
    try:
        value.encode()
    except UnicodeEncodeError:  # half of a surrogate pair
        return False
    return True


def _no_number(name: str) -> object:
    raise Unreadable(f"{name} is no JSON")


def entity_of(value: object) -> object:
    """Write what JSON has no words for: entities."""
    if isinstance(value, Uid):
        return {"__entity": value.named()}
    raise TypeError(type(value).__name__)


_encoder = msgspec.json.Encoder(enc_hook=entity_of)
_decoder = json.JSONDecoder(object_pairs_hook=_members, parse_constant=_no_number)
