"""Translate AuthZEN actions and resources into MCP calls, and back. Pure.

| `action.name` | `resource.type` | `resource.id` |
|---|---|---|
| `tools/call` | `tool` | `tool:mcp/SERVER/TOOL`, or the tool's name |
| `resources/read`, `resources/subscribe`, `resources/unsubscribe` | `resource` | its URI |
| `prompts/get` | `prompt` | `prompt:mcp/SERVER/PROMPT`, or the prompt's name |
| `completion/complete` | `resource`, `prompt` | likewise |
| any other method of MCP | `mcp_server` | `server:mcp/SERVER`, the server's name, or the audience of tokens for it |

Tasks and requests cannot be decided here: only the gateway knows their owners.
"""

from collections.abc import Collection
from dataclasses import dataclass
from functools import lru_cache

from answerable.model.decision import TargetKind
from answerable.pdp.wire.evaluation_request import EvaluationAction, EvaluationResource
from answerable.server.mcp.methods import (
    INPUT_METHODS,
    METHODS,
    McpRevision,
    MessageSender,
    find_method,
)

SERVER_TYPE = "mcp_server"
TARGETS_BY_TYPE = {
    "tool": TargetKind.TOOL,
    "resource": TargetKind.RESOURCE,
    "prompt": TargetKind.PROMPT,
}
_UNDECIDABLE = frozenset({TargetKind.TASK, TargetKind.REQUEST})


@dataclass(frozen=True, slots=True)
class McpCallQuery:
    """An MCP call to decide.

    Attributes:
        target: Kind of the item.
        name: Tool, prompt or URI; empty for the whole server.
    """

    server: str
    action: str
    target: TargetKind
    name: str = ""


def parse_call_query(
    action: EvaluationAction,
    resource: EvaluationResource,
    default_server: str,
    audiences: Collection[str] = (),
) -> McpCallQuery | None:
    """Return the MCP call that a question is about; None in another vocabulary.

    Args:
        default_server: Default server, empty for none.
        audiences: Audiences of our tokens, which name the default server.
    """
    target = find_mcp_target(action.name, resource.type)
    if target is None:
        return None
    if resource.type == SERVER_TYPE:
        named = (
            default_server
            if default_server and resource.id in audiences
            else resource.id
        )
        server = named.removeprefix("server:mcp/")
        is_said = resource.server in ("", server)
        return McpCallQuery(server, action.name, target) if is_said else None
    server, name = _split_resource_id(resource)
    if resource.server and server not in ("", resource.server):
        return None
    server = server or resource.server or default_server
    return McpCallQuery(server, action.name, target, name) if server else None


def find_mcp_target(action: str, type: str) -> TargetKind | None:
    """Return the target of an action on a resource type; None if impossible."""
    found = _list_method_targets(action)
    if type == SERVER_TYPE:
        whole = (
            found
            - set(TARGETS_BY_TYPE.values())
            - _UNDECIDABLE
            - {TargetKind.REFERENCE}
        )
        return next(iter(whole), None)
    named = TARGETS_BY_TYPE.get(type)
    if named in found or (
        TargetKind.REFERENCE in found and named in _REFERENCE_TARGETS
    ):
        return named
    return None


def list_actions_of_type(type: str) -> list[str]:
    """List the MCP methods that can act on a resource type, sorted."""
    names = {
        *INPUT_METHODS,
        *(name for methods in METHODS.values() for name in methods),
    }
    return sorted(name for name in names if find_mcp_target(name, type) is not None)


def format_resource_id(query: McpCallQuery) -> str:
    """Return the full resource id of a call."""
    if query.target is TargetKind.RESOURCE:
        return query.name
    if not query.name:
        return f"server:mcp/{query.server}"
    return f"{query.target}:mcp/{query.server}/{query.name}"


_REFERENCE_TARGETS = (TargetKind.RESOURCE, TargetKind.PROMPT)


@lru_cache(maxsize=256)
def _list_method_targets(action: str) -> set[TargetKind]:
    """Return the targets of a method in every MCP revision."""
    methods = (find_method(era, action, MessageSender.CLIENT) for era in McpRevision)
    found = {method.target for method in methods if method is not None}
    if action in INPUT_METHODS:
        found.add(INPUT_METHODS[action])
    return found


def _split_resource_id(resource: EvaluationResource) -> tuple[str, str]:
    """Split the server from a resource id; empty for a plain name."""
    prefix = f"{resource.type}:mcp/"
    if resource.type == "resource" or not resource.id.startswith(prefix):
        return "", resource.id
    server, _, name = resource.id.removeprefix(prefix).partition("/")
    return server, name
