"""Parser of AuthZEN evaluation requests.

Only these keys are inputs of a decision (AuthZEN 1.0, 5):

| key | is |
|---|---|
| `subject.type`, `subject.id` | the principal |
| `subject.properties.token` | access token of the subject |
| `action.name` | MCP method, or an action of an approved mapping |
| `action.properties.arguments` | arguments of the call |
| `resource.type`, `resource.id` | the resource |
| `resource.properties.server` | its server |
| `context.agent` | an agent that must be the subject's; it can only deny |

Other keys are ignored (10.1.1), unless an approved mapping of a tool reads an argument
there.
"""

import json
from collections.abc import Mapping
from typing import Any, TypeAlias

import msgspec

from answerable.model.json_keys import key_tree
from answerable.pdp.wire.problems import Invalid, Missing
from answerable.server.mcp.json_members import UNREADABLE, check_text
from answerable.server.wire.refusals import Refused

MAX_BODY = 1 << 20
MAX_DEPTH = 32
MAX_NAME = 4096  # characters of a type, an id or a name
MAX_TOKEN = 16 << 10
LARGEST = 2**1023  # a number of a magnitude that every reader has (RFC 7493 2.2)

Members: TypeAlias = Mapping[str, object]

NOTHING: Members = {}


class Subject(msgspec.Struct, frozen=True):
    """The principal of a question.

    Attributes:
        type: `identity` or `agent`.
        id: Empty in a search for subjects.
        token: Access token, empty without one.
    """

    type: str
    id: str
    token: str = ""

    def __repr__(self) -> str:
        """Show no token."""
        return f"Subject({self.type} {self.id})"


class Action(msgspec.Struct, frozen=True):
    """The action of a question.

    Attributes:
        name: MCP method, or an action of a mapping.
        arguments: JSON; None if unknown.
    """

    name: str
    arguments: bytes | None = None


class Resource(msgspec.Struct, frozen=True):
    """The resource of a question.

    Attributes:
        type: `tool`, `resource`, `prompt`, `mcp_server`, or a type of a mapping.
        id: Empty in a search for resources.
        server: Upstream server; empty if unknown.
    """

    type: str
    id: str
    server: str = ""


class Evaluation(msgspec.Struct, frozen=True):
    """One question.

    Attributes:
        agent: Agent named in the context, empty for none.
        said: All members, for mappings only.
    """

    subject: Subject
    action: Action
    resource: Resource
    agent: str = ""
    said: Members = NOTHING


def read_body(data: bytes) -> dict[str, Any]:
    """Parse the one JSON object of a request, strictly (AuthZEN 11.5, I-JSON).

    Raises:
        Invalid: It is no JSON object, too deep, repeats a key, or holds a number
            outside the range of a double.
    """
    try:
        check_text(data, MAX_DEPTH)
        read = msgspec.json.decode(data)
        if not isinstance(read, dict):
            raise Invalid("the body must be a JSON object", "not-an-object")
        said: dict[str, Any] = json.loads(
            data, object_pairs_hook=_once, parse_int=_integer, parse_float=_float
        )
    except Refused as refused:
        raise Invalid(refused.wire.says, refused.why.value) from None
    except (*UNREADABLE, ValueError):
        raise Invalid("the body is not JSON", "not-json") from None
    _refuse_lookalikes(said)
    return said


def _refuse_lookalikes(said: Members) -> None:
    """Reject a key that another parser could take for a known one, such as `Subject`.

    Raises:
        Invalid: There is one.
    """
    several = said.get("evaluations")
    items = several if isinstance(several, list) else []
    for each in (said, *(item for item in items if isinstance(item, dict))):
        if _READ.find_lookalike(each):
            raise Invalid(
                "a key differs from a known one in case or in what is not seen",
                "lookalike-key",
            )


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    read = dict(pairs)
    if len(read) != len(pairs):
        raise Invalid("a key is repeated", "repeated-key")
    return read


def _integer(spelled: str) -> int:
    read = int(spelled)
    if abs(read) > LARGEST:
        raise Invalid("a number is too large", "number")
    return read


def _float(spelled: str) -> float:
    read = float(spelled)
    if read in (float("inf"), float("-inf")):
        raise Invalid("a number is too large", "number")
    return read


def read_evaluation(said: Members, *, at: str = "") -> Evaluation:
    """Parse one evaluation.

    Args:
        at: Its path in the body, for messages: empty, or `evaluations[2].`.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    return Evaluation(
        subject=read_subject(said, at=at),
        action=read_action(said, at=at),
        resource=read_resource(said, at=at),
        agent=read_agent(said, at=at),
        said=said,
    )


def read_subject(said: Members, *, at: str = "", searched: bool = False) -> Subject:
    """Parse the subject.

    Args:
        said: Members of the parent.
        searched: It is searched for: an id is ignored (AuthZEN 8.4.1).

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{at}subject"
    members, properties = _entity(said, "subject", path)
    return Subject(
        type=_name(members, "type", path),
        id="" if searched else _name(members, "id", path),
        token=_text(properties, "token", f"{path}.properties", MAX_TOKEN),
    )


def read_action(said: Members, *, at: str = "") -> Action:
    """Parse the action.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{at}action"
    members, properties = _entity(said, "action", path)
    name = _name(members, "name", path)
    if "arguments" not in properties:
        return Action(name)
    arguments = object_of(properties, "arguments", f"{path}.properties.arguments")
    # As most clients spell JSON, so that the digest is that of the call itself.
    spelled = json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
    return Action(name, spelled.encode())


def read_resource(said: Members, *, at: str = "", searched: bool = False) -> Resource:
    """Parse the resource; `searched` as for the subject.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{at}resource"
    members, properties = _entity(said, "resource", path)
    return Resource(
        type=_name(members, "type", path),
        id="" if searched else _name(members, "id", path),
        server=_text(properties, "server", f"{path}.properties", MAX_NAME),
    )


def read_agent(said: Members, *, at: str = "") -> str:
    """Return the agent named in the context; empty for another type of value.

    Raises:
        Invalid: The context is no object.
    """
    agent = object_of(said, "context", f"{at}context").get("agent")
    return agent if isinstance(agent, str) else ""


def object_of(said: Members, key: str, path: str) -> Members:
    """Return an optional object.

    Args:
        said: Members of the parent.
        path: Its path in the body.

    Raises:
        Invalid: It is not an object.
    """
    if key not in said:
        return NOTHING
    found = said[key]
    if not isinstance(found, dict):
        raise Invalid(f"{path} must be an object", "key-type")
    return found


def check_types(said: Members, *, at: str = "") -> None:
    """Check the types of the keys that are present.

    Raises:
        Invalid: One has the wrong type.
    """
    for entity, keys in _ENTITIES.items():
        if entity not in said:
            continue
        path = f"{at}{entity}"
        members, properties = _entity(said, entity, path)
        for key in keys:
            if key in members:
                _name(members, key, path)
        within = f"{path}.properties"
        _text(properties, "token", within, MAX_TOKEN)
        _text(properties, "server", within, MAX_NAME)
        object_of(properties, "arguments", f"{within}.arguments")
    object_of(said, "context", f"{at}context")


_ENTITIES = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}
_READ = key_tree(
    (
        *(
            (entity, key)
            for entity, keys in _ENTITIES.items()
            for key in (*keys, "properties")
        ),
        *(("subject", "properties", "token"), ("action", "properties", "arguments")),
        *(("resource", "properties", "server"), ("context", "agent")),
        *(("evaluations",), ("options", "evaluations_semantic")),
        *(("page", "limit"), ("page", "token")),
    )
)


def _entity(said: Members, key: str, path: str) -> tuple[Members, Members]:
    if key not in said:
        raise Missing(path)
    members = object_of(said, key, path)
    return members, object_of(members, "properties", f"{path}.properties")


def _name(members: Members, key: str, path: str) -> str:
    if key not in members:
        raise Missing(f"{path}.{key}")
    name = _text(members, key, path, MAX_NAME)
    if not name:
        raise Invalid(f"{path}.{key} must not be empty", "key-type")
    return name


def _text(members: Members, key: str, path: str, most: int) -> str:
    found = members.get(key, "")
    if not isinstance(found, str) or len(found) > most:
        says = f"{path}.{key} must be a string of at most {most} characters"
        raise Invalid(says, "key-type")
    return found
