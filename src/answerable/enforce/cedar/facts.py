"""What a policy may read of a request, once for Cedar and once for what is compiled.

Arguments are what the agent asks to do. They are read in one way: a member that stands
twice, or JSON that is none, leaves no arguments at all, and a policy that reads one
fails. What Cedar has no number for (fractions, beyond 64 bits) is there and equals no
number that a policy can write, so comparing it fails; a whole number is the same number
however it is spelled (`1e2`, `100.0`). A null member is as if it were not there.
"""

import json
from contextlib import suppress
from typing import NamedTuple

from answerable.enforce.cedar.actions import KINDS, SERVER, WITH_ARGUMENTS
from answerable.model.decision import Request

_LEAST, _MOST = -(2**63), 2**63 - 1
# Members that Cedar's JSON form takes for something else.
_ESCAPES = frozenset({"__entity", "__extn", "__expr"})
OTHER = "Other"


class Uid(NamedTuple):
    """An entity's type and id."""

    type: str
    id: str


class Unreadable(ValueError):  # noqa: N818 - the arguments are
    """The arguments can be read in more ways than one, or in none."""


def resource_of(request: Request) -> tuple[Uid, str]:
    """Name what is acted on: the entity, and its `name`."""
    kind = KINDS.get(request.target)
    if kind is None:
        return Uid(SERVER, f"server:{request.server}"), request.server
    return (
        Uid(kind, f"{request.target}:mcp/{request.server}/{request.name}"),
        request.name,
    )


class Facts:
    """One request as policies see it.

    Attributes:
        principal: Agent.
        action: MCP method.
        resource: What is acted on.
        name: Name of that.
    """

    __slots__ = ("_context", "_request", "action", "name", "principal", "resource")

    def __init__(self, request: Request) -> None:
        self._request = request
        self._context: dict[str, object] | None = None
        self.principal = Uid("Agent", request.agent)
        self.action = Uid("Action", request.action)
        self.resource, self.name = resource_of(request)

    @property
    def context(self) -> dict[str, object]:
        """The context: `identity`, `person` and `arguments`, each where there is one."""
        if self._context is None:
            self._context = _context(self._request)
        return self._context

    def asked(self) -> dict[str, object]:
        """The request in the form that Cedar takes."""
        return {
            "principal": self.principal._asdict(),
            "action": self.action._asdict(),
            "resource": self.resource._asdict(),
            "context": json.dumps(_for_cedar(self.context)),
        }

    def entities(self) -> str:
        """The entities that it is about, as JSON: an id of no other name says more."""
        server = Uid(SERVER, f"server:{self._request.server}")
        parents = [] if self.resource == server else [server._asdict()]
        found: list[dict[str, object]] = [
            {"uid": self.principal._asdict(), "attrs": {}, "parents": []},
            {
                "uid": self.resource._asdict(),
                "attrs": {"name": self.name},
                "parents": parents,
            },
        ]
        if parents:
            attrs = {"name": self._request.server}
            found.append({"uid": server._asdict(), "attrs": attrs, "parents": []})
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
        Unreadable: They are no JSON object, or read in two ways.
    """
    if not arguments:
        return {}
    try:
        text = str(arguments, "utf-8")
        read = json.loads(text, object_pairs_hook=_members, parse_constant=_no_number)
    except (ValueError, RecursionError):
        raise Unreadable("arguments that cannot be read in one way") from None
    if not isinstance(read, dict):
        raise Unreadable("arguments that are no object")
    return read


def _members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise Unreadable("a member that stands twice")
    return {_key(name): _value(value) for name, value in pairs if value is not None}


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


def _for_cedar(value: object) -> object:
    if isinstance(value, Uid):
        return {"__entity": value._asdict()}
    if isinstance(value, dict):
        return {name: _for_cedar(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_for_cedar(each) for each in value]
    return value
