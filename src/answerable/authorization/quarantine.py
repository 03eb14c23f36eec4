"""Find quarantined items (changed since a person approved them) that a call uses.

| subject | written | stops |
|---|---|---|
| server | `server:NAME` | every call to it, because its identity changed |
| tool | `tool:mcp/SERVER/TOOL` | calls of it |
| prompt | `prompt:mcp/SERVER/PROMPT` | getting it |

If a server's definitions need approval, unapproved items are quarantined unnamed.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from answerable.authorization.cedar.approved_schemas import ArgumentSchema
from answerable.authorization.cedar.cedar_request import (
    UnreadableArguments,
    parse_arguments,
)
from answerable.model.decision import AuthorizationRequest, TargetKind

_NONE_CLOSED: Mapping[str, ArgumentSchema] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class ServerQuarantine:
    """Quarantined items of one server.

    Attributes:
        server: Whether the whole server is quarantined.
        approved_tools: Tools that pass; None if all others pass.
        approved_prompts: Prompts that pass, likewise.
        closed: Tools whose approved schema allows no additional arguments.
    """

    server: bool = False
    tools: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    approved_tools: frozenset[str] | None = None
    approved_prompts: frozenset[str] | None = None
    closed: Mapping[str, ArgumentSchema] = field(default_factory=lambda: _NONE_CLOSED)


Quarantine = Mapping[str, ServerQuarantine]  # by server

NO_QUARANTINE: Quarantine = MappingProxyType({})


def find_quarantined_subject(
    quarantine: Quarantine, request: AuthorizationRequest
) -> str:
    """Return the quarantined subject of a request; empty if none."""
    found = quarantine.get(request.server)
    if found is None:
        return ""
    if found.server:
        return f"server:{request.server}"
    target, name = request.target, request.name
    if target is TargetKind.TOOL:
        named, approved = found.tools, found.approved_tools
    elif target is TargetKind.PROMPT:
        named, approved = found.prompts, found.approved_prompts
    else:
        return ""
    if name not in named and (approved is None or name in approved):
        return ""
    return f"{target}:mcp/{request.server}/{name}"


def find_undeclared_arguments(
    quarantine: Quarantine, request: AuthorizationRequest
) -> str:
    """Return the tool whose approved schema does not declare an argument of the call.

    Returns:
        Empty if all arguments are declared or the schema is not closed.
    """
    found = quarantine.get(request.server)
    if found is None or request.target is not TargetKind.TOOL:
        return ""
    declared = found.closed.get(request.name)
    if declared is None:
        return ""
    with suppress(UnreadableArguments):
        if declared.accepts_arguments(parse_arguments(request.arguments)):
            return ""
    return f"{request.target}:mcp/{request.server}/{request.name}"
