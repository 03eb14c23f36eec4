"""Vocabulary of questions: MCP methods as actions, MCP items as resources. Pure.

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

from answerable.model.decision import Target
from answerable.pdp.wire.evaluation_request import Action, Resource
from answerable.server.mcp.methods import INPUTS, METHODS, Era, Sender, method_of

SERVER = "mcp_server"
TYPES = {"tool": Target.TOOL, "resource": Target.RESOURCE, "prompt": Target.PROMPT}
_NOT_HERE = frozenset({Target.TASK, Target.REQUEST})


@dataclass(frozen=True, slots=True)
class Asked:
    """An MCP call to decide.

    Attributes:
        target: Kind of the item.
        name: Tool, prompt or URI; empty for the whole server.
    """

    server: str
    action: str
    target: Target
    name: str = ""


def read(
    action: Action,
    resource: Resource,
    usual: str,
    audiences: Collection[str] = (),
) -> Asked | None:
    """Return the MCP call that a question is about; None in another vocabulary.

    Args:
        usual: Default server, empty for none.
        audiences: Audiences of our tokens, which name the default server.
    """
    target = target_of(action.name, resource.type)
    if target is None:
        return None
    if resource.type == SERVER:
        named = usual if usual and resource.id in audiences else resource.id
        server = named.removeprefix("server:mcp/")
        is_said = resource.server in ("", server)
        return Asked(server, action.name, target) if is_said else None
    server, name = _parted(resource)
    if resource.server and server not in ("", resource.server):
        return None
    server = server or resource.server or usual
    return Asked(server, action.name, target, name) if server else None


def target_of(action: str, type: str) -> Target | None:
    """Return the target of an action on a resource type; None if impossible."""
    found = _targets(action)
    if type == SERVER:
        whole = found - set(TYPES.values()) - _NOT_HERE - {Target.REFERENCE}
        return next(iter(whole), None)
    named = TYPES.get(type)
    if named in found or (Target.REFERENCE in found and named in _REFERRED):
        return named
    return None


def actions_on(type: str) -> list[str]:
    """Return every action on a resource type, sorted."""
    names = {*INPUTS, *(name for methods in METHODS.values() for name in methods)}
    return sorted(name for name in names if target_of(name, type) is not None)


def spelled(asked: Asked) -> str:
    """Return the full resource id of a call."""
    if asked.target is Target.RESOURCE:
        return asked.name
    if not asked.name:
        return f"server:mcp/{asked.server}"
    return f"{asked.target}:mcp/{asked.server}/{asked.name}"


_REFERRED = (Target.RESOURCE, Target.PROMPT)


@lru_cache(maxsize=256)
def _targets(action: str) -> set[Target]:
    """Return the targets of a method in every MCP revision."""
    methods = (method_of(era, action, Sender.CLIENT) for era in Era)
    found = {method.target for method in methods if method is not None}
    if action in INPUTS:
        found.add(INPUTS[action])
    return found


def _parted(resource: Resource) -> tuple[str, str]:
    """Split the server from a resource id; empty for a plain name."""
    prefix = f"{resource.type}:mcp/"
    if resource.type == "resource" or not resource.id.startswith(prefix):
        return "", resource.id
    server, _, name = resource.id.removeprefix(prefix).partition("/")
    return server, name
