"""Parse a policy's scope (principal, action, resource) from Cedar's JSON form."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

_NAMED = {
    "Tool": "tool:mcp/",
    "Resource": "resource:mcp/",
    "Prompt": "prompt:mcp/",
}
_HOLDS = (dict, list)


@dataclass(frozen=True, slots=True)
class PolicyScope:
    """Scope of a policy.

    Attributes:
        principal: The one agent, empty for any.
        actions: MCP methods, empty for any.
        resource: Id, empty for any.
        kind: Cedar type, empty for any.
    """

    principal: str
    actions: tuple[str, ...]
    resource: str
    kind: str


def parse_policy_scope(policy: Mapping[str, Any]) -> PolicyScope:
    """Parse the scope of a policy that Cedar has validated against our schema."""
    principal, resource = policy["principal"], policy["resource"]
    within = principal.get("in", principal)
    kind, named = "", ""
    if resource["op"] == "is":
        kind = resource["entity_type"]
        resource = resource.get("in", {"op": "All"}) | {"op": "in"}
    if "entity" in resource:
        named = resource["entity"]["id"]
        of = resource["entity"]["type"]
        # `in` what is no server takes that alone, as `==` does.
        if of != "Server" or resource["op"] == "==":
            kind = kind or of
    return PolicyScope(
        principal=_scope_agent_id(within["entity"]) if "entity" in within else "",
        actions=tuple(_scope_method_names(policy["action"])),
        resource=named,
        kind=kind,
    )


def _scope_agent_id(entity: Mapping[str, str]) -> str:
    """Return the agent's id; for another entity type, an id that matches no agent."""
    # Principals are always agents; another type with an agent's id matches none.
    is_agent = entity["type"] == "Agent"
    return entity["id"] if is_agent else f"{entity['type']}::{entity['id']}"


def _scope_method_names(action: Mapping[str, Any]) -> Iterator[str]:
    """Yield the MCP methods of a policy; none if it applies to all."""
    if "entity" in action:
        yield action["entity"]["id"]
    elif action["op"] == "in":
        # An empty list takes no method, while none said takes all.
        yield from [each["id"] for each in action["entities"]] or [""]


def resource_server(resource: str) -> str:
    """Return the server in a resource id; empty if it names none."""
    kind, colon, rest = resource.partition(":")
    if kind == "server":
        return rest
    return rest.removeprefix("mcp/").partition("/")[0] if colon else ""


def find_policy_entities(node: object) -> Iterator[tuple[str, str]]:
    """Yield every entity in a policy as (type, id)."""
    if isinstance(node, dict):
        kind, id = node.get("type"), node.get("id")
        if isinstance(kind, str) and isinstance(id, str) and len(node) == 2:
            yield kind, id
            return
        for key, each in node.items():
            # A pattern of `like` is a list of single letters; nothing else has one.
            if isinstance(each, _HOLDS) and (
                key != "pattern" or isinstance(each, dict)
            ):
                yield from find_policy_entities(each)
    elif isinstance(node, list):
        for each in node:
            if isinstance(each, _HOLDS):
                yield from find_policy_entities(each)


def find_entity_id_fault(kind: str, id: str) -> str:
    """Return the fault of an entity id; empty if there is none."""
    start = _NAMED.get(kind)
    if start is not None:
        server, slash, name = id.removeprefix(start).partition("/")
        if not id.startswith(start) or not (server and slash and name):
            return f'expected {kind}::"{start}SERVER/NAME"'
    elif kind == "Server" and not id.startswith("server:"):
        return 'expected Server::"server:NAME"'
    elif kind == "Agent" and not id.startswith("agent:"):
        return 'expected Agent::"agent:KIND/..."'
    return ""


def configuration_reference(kind: str, id: str) -> str:
    """Return the configuration entry that an entity id names; empty for none."""
    if kind == "Agent" and id.startswith("agent:declared/"):
        return id
    if kind == "Server" or kind in _NAMED:
        return f"server:{resource_server(id)}"
    return ""
