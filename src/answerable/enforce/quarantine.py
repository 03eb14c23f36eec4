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
from dataclasses import dataclass
from types import MappingProxyType

from answerable.model.decision import Request, Target


@dataclass(frozen=True, slots=True)
class Quarantined:
    """What of one server is in quarantine.

    Attributes:
        server: The server itself is.
        tools: Tools that are, by name.
        prompts: Prompts that are, by name.
        approved: Tools and prompts that are approved, pairs (target, name); None where
            what is not named above passes.
    """

    server: bool = False
    tools: frozenset[str] = frozenset()
    prompts: frozenset[str] = frozenset()
    approved: frozenset[tuple[Target, str]] | None = None


Quarantine = Mapping[str, Quarantined]  # by server

NO_QUARANTINE: Quarantine = MappingProxyType({})


def quarantined_by(quarantine: Quarantine, request: Request) -> str:
    """Name what is in quarantine of a request; empty where nothing is."""
    found = quarantine.get(request.server)
    if found is None:
        return ""
    if found.server:
        return f"server:{request.server}"
    target = request.target
    if target is not Target.TOOL and target is not Target.PROMPT:
        return ""
    named = found.tools if target is Target.TOOL else found.prompts
    is_approved = found.approved is None or (target, request.name) in found.approved
    if is_approved and request.name not in named:
        return ""
    return f"{target}:mcp/{request.server}/{request.name}"
