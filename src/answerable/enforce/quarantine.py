"""Quarantine: what is not as a person approved it, so nothing goes to it.

| subject | written | stops |
|---|---|---|
| server | `server:NAME` | every call to it, its name being somebody else's by now |
| tool | `tool:mcp/SERVER/TOOL` | calls of it |
| prompt | `prompt:mcp/SERVER/PROMPT` | getting it |

Where a server's definitions have to be approved, what nobody approved is in quarantine
without being named.
"""

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from types import MappingProxyType

from answerable.enforce.cedar.approved import Declared
from answerable.enforce.cedar.facts import Unreadable, read_arguments
from answerable.model.decision import Request, Target

_NONE_CLOSED: Mapping[str, Declared] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What of one server is in quarantine.

    Attributes:
        server: The server itself is.
        tools: Tools that are, by name.
        prompts: Prompts that are, by name.
        approved_tools: Tools that pass; None where what is not named above does.
        approved_prompts: Prompts that pass, likewise.
        closed: Tools whose arguments a person approved as closed: no others are taken.
    """

    server: bool = False
    tools: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    approved_tools: frozenset[str] | None = None
    approved_prompts: frozenset[str] | None = None
    closed: Mapping[str, Declared] = field(default_factory=lambda: _NONE_CLOSED)


Quarantine = Mapping[str, Quarantined]  # by server

NO_QUARANTINE: Quarantine = MappingProxyType({})


def quarantined_by(quarantine: Quarantine, request: Request) -> str:
    """Name what is in quarantine of a request; empty where nothing is."""
    found = quarantine.get(request.server)
    if found is None:
        return ""
    if found.server:
        return f"server:{request.server}"
    target, name = request.target, request.name
    if target is Target.TOOL:
        named, approved = found.tools, found.approved_tools
    elif target is Target.PROMPT:
        named, approved = found.prompts, found.approved_prompts
    else:
        return ""
    if name not in named and (approved is None or name in approved):
        return ""
    return f"{target}:mcp/{request.server}/{name}"


def undeclared_in(quarantine: Quarantine, request: Request) -> str:
    """Name the tool that a call has arguments for which its schema does not declare.

    Returns:
        Empty where it has none, or no person approved that its schema is closed.
    """
    found = quarantine.get(request.server)
    if found is None or request.target is not Target.TOOL:
        return ""
    declared = found.closed.get(request.name)
    if declared is None:
        return ""
    with suppress(Unreadable):
        if declared.takes(read_arguments(request.arguments)):
            return ""
    return f"{request.target}:mcp/{request.server}/{request.name}"
