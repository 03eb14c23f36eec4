"""Parse AuthZEN evaluation requests, strictly.

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

from answerable.model.json_key_lookalikes import build_json_key_tree
from answerable.pdp.wire.problem_documents import MalformedRequest, MissingKey
from answerable.server.mcp.json_members import DECODE_ERRORS, check_encoding_and_depth
from answerable.server.wire.refusals import RequestRefused

MAX_BODY = 1 << 20
MAX_DEPTH = 32
MAX_NAME = 4096  # characters of a type, an id or a name
MAX_TOKEN = 16 << 10
MAX_NUMBER = 2**1023  # a number of a magnitude that every reader has (RFC 7493 2.2)

JsonMembers: TypeAlias = Mapping[str, object]

NO_MEMBERS: JsonMembers = {}


class EvaluationSubject(msgspec.Struct, frozen=True):
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


class EvaluationAction(msgspec.Struct, frozen=True):
    """The action of a question.

    Attributes:
        name: MCP method, or an action of a mapping.
        arguments: JSON; None if unknown.
    """

    name: str
    arguments: bytes | None = None


class EvaluationResource(msgspec.Struct, frozen=True):
    """The resource of a question.

    Attributes:
        type: `tool`, `resource`, `prompt`, `mcp_server`, or a type of a mapping.
        id: Empty in a search for resources.
        server: Upstream server; empty if unknown.
    """

    type: str
    id: str
    server: str = ""


class EvaluationRequest(msgspec.Struct, frozen=True):
    """One question.

    Attributes:
        agent: Agent named in the context, empty for none.
        said: All members, for mappings only.
    """

    subject: EvaluationSubject
    action: EvaluationAction
    resource: EvaluationResource
    agent: str = ""
    said: JsonMembers = NO_MEMBERS


def parse_body(data: bytes) -> dict[str, Any]:
    """Parse the one JSON object of a request, strictly (AuthZEN 11.5, I-JSON).

    Raises:
        Invalid: It is no JSON object, too deep, repeats a key, or holds a number
            outside the range of a double.
    """
    try:
        check_encoding_and_depth(data, MAX_DEPTH)
        read = msgspec.json.decode(data)
        if not isinstance(read, dict):
            raise MalformedRequest("the body must be a JSON object", "not-an-object")
        said: dict[str, Any] = json.loads(
            data,
            object_pairs_hook=_build_unique_members,
            parse_int=_parse_integer,
            parse_float=_parse_float,
        )
    except RequestRefused as refused:
        raise MalformedRequest(refused.wire.says, refused.why.value) from None
    except (*DECODE_ERRORS, ValueError):
        raise MalformedRequest("the body is not JSON", "not-json") from None
    _reject_lookalike_keys(said)
    return said


def _reject_lookalike_keys(members: JsonMembers) -> None:
    """Reject a key that another parser could take for a known one, such as `Subject`.

    Raises:
        Invalid: There is one.
    """
    several = members.get("evaluations")
    items = several if isinstance(several, list) else []
    for each in (members, *(item for item in items if isinstance(item, dict))):
        if _KNOWN_KEYS.find_lookalike_key(each):
            raise MalformedRequest(
                "a key differs from a known key only in case or in invisible "
                "characters",
                "lookalike-key",
            )


def _build_unique_members(pairs: list[tuple[str, object]]) -> dict[str, object]:
    """Build an object from its members; reject a repeated key."""
    read = dict(pairs)
    if len(read) != len(pairs):
        raise MalformedRequest("duplicate key in a JSON object", "repeated-key")
    return read


def _parse_integer(digits: str) -> int:
    """Parse an integer; reject one that I-JSON cannot represent exactly."""
    read = int(digits)
    if abs(read) > MAX_NUMBER:
        raise MalformedRequest("a number in the body is too large", "number")
    return read


def _parse_float(digits: str) -> float:
    """Parse a float; reject one that overflows."""
    read = float(digits)
    if read in (float("inf"), float("-inf")):
        raise MalformedRequest("a number in the body is too large", "number")
    return read


def parse_evaluation(body: JsonMembers, *, path_prefix: str = "") -> EvaluationRequest:
    """Parse one AuthZEN evaluation: subject, action, resource, context.

    Args:
        path_prefix: Its path in the body, for messages: empty, or `evaluations[2].`.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    return EvaluationRequest(
        subject=parse_subject(body, path_prefix=path_prefix),
        action=parse_action(body, path_prefix=path_prefix),
        resource=parse_resource(body, path_prefix=path_prefix),
        agent=parse_context_agent(body, path_prefix=path_prefix),
        said=body,
    )


def parse_subject(
    body: JsonMembers, *, path_prefix: str = "", is_search: bool = False
) -> EvaluationSubject:
    """Parse an AuthZEN request's `subject`: its type, id and properties.

    Args:
        body: Members of the parent.
        is_search: It is searched for: an id is ignored (AuthZEN 8.4.1).

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{path_prefix}subject"
    members, properties = _get_required_entity(body, "subject", path)
    return EvaluationSubject(
        type=_get_required_name(members, "type", path),
        id="" if is_search else _get_required_name(members, "id", path),
        token=_get_optional_text(properties, "token", f"{path}.properties", MAX_TOKEN),
    )


def parse_action(body: JsonMembers, *, path_prefix: str = "") -> EvaluationAction:
    """Parse an AuthZEN request's `action`: its name and properties.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{path_prefix}action"
    members, properties = _get_required_entity(body, "action", path)
    name = _get_required_name(members, "name", path)
    if "arguments" not in properties:
        return EvaluationAction(name)
    arguments = get_optional_object(
        properties, "arguments", f"{path}.properties.arguments"
    )
    # As most clients spell JSON, so that the digest is that of the call itself.
    spelled = json.dumps(arguments, separators=(",", ":"), ensure_ascii=False)
    return EvaluationAction(name, spelled.encode())


def parse_resource(
    body: JsonMembers, *, path_prefix: str = "", is_search: bool = False
) -> EvaluationResource:
    """Parse the resource of a request; a search (`is_search`) needs no id.

    Raises:
        Missing: A required key is missing.
        Invalid: A key has the wrong type.
    """
    path = f"{path_prefix}resource"
    members, properties = _get_required_entity(body, "resource", path)
    return EvaluationResource(
        type=_get_required_name(members, "type", path),
        id="" if is_search else _get_required_name(members, "id", path),
        server=_get_optional_text(properties, "server", f"{path}.properties", MAX_NAME),
    )


def parse_context_agent(body: JsonMembers, *, path_prefix: str = "") -> str:
    """Return the agent named in the context; empty for another type of value.

    Raises:
        Invalid: The context is no object.
    """
    agent = get_optional_object(body, "context", f"{path_prefix}context").get("agent")
    return agent if isinstance(agent, str) else ""


def get_optional_object(members: JsonMembers, key: str, path: str) -> JsonMembers:
    """Return a JSON object of the body; an empty one if the key is absent.

    Args:
        members: Members of the parent.
        path: Its path in the body.

    Raises:
        Invalid: It is not an object.
    """
    if key not in members:
        return NO_MEMBERS
    found = members[key]
    if not isinstance(found, dict):
        raise MalformedRequest(f"{path} must be an object", "key-type")
    return found


def check_member_types(body: JsonMembers, *, path_prefix: str = "") -> None:
    """Check the types of the keys that are present.

    Raises:
        Invalid: One has the wrong type.
    """
    for entity, keys in _ENTITIES.items():
        if entity not in body:
            continue
        path = f"{path_prefix}{entity}"
        members, properties = _get_required_entity(body, entity, path)
        for key in keys:
            if key in members:
                _get_required_name(members, key, path)
        within = f"{path}.properties"
        _get_optional_text(properties, "token", within, MAX_TOKEN)
        _get_optional_text(properties, "server", within, MAX_NAME)
        get_optional_object(properties, "arguments", f"{within}.arguments")
    get_optional_object(body, "context", f"{path_prefix}context")


_ENTITIES = {"subject": ("type", "id"), "action": ("name",), "resource": ("type", "id")}
_KNOWN_KEYS = build_json_key_tree(
    (
        *(
            (entity, key)
            for entity, keys in _ENTITIES.items()
            for key in (*keys, "properties")
        ),
        ("subject", "properties", "token"),
        ("action", "properties", "arguments"),
        ("resource", "properties", "server"),
        ("context", "agent"),
        ("evaluations",),
        ("options", "evaluations_semantic"),
        ("page", "limit"),
        ("page", "token"),
    )
)


def _get_required_entity(
    body: JsonMembers, key: str, path: str
) -> tuple[JsonMembers, JsonMembers]:
    """Return a required JSON object and its `properties`."""
    if key not in body:
        raise MissingKey(path)
    members = get_optional_object(body, key, path)
    return members, get_optional_object(members, "properties", f"{path}.properties")


def _get_required_name(members: JsonMembers, key: str, path: str) -> str:
    """Return a required string that is not empty."""
    if key not in members:
        raise MissingKey(f"{path}.{key}")
    name = _get_optional_text(members, key, path, MAX_NAME)
    if not name:
        raise MalformedRequest(f"{path}.{key} must not be empty", "key-type")
    return name


def _get_optional_text(
    members: JsonMembers, key: str, path: str, max_length: int
) -> str:
    """Return an optional string of limited length; empty if it is missing."""
    found = members.get(key, "")
    if not isinstance(found, str) or len(found) > max_length:
        says = f"{path}.{key} must be a string of at most {max_length} characters"
        raise MalformedRequest(says, "key-type")
    return found
