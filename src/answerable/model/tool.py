"""Tools: MCP servers an agent is configured to call."""

from dataclasses import dataclass

from answerable.model.ids import AgentId, CredentialId, ToolId
from answerable.model.written import Seen


@dataclass(frozen=True, slots=True)
class Tool:
    """One MCP server entry of one agent.

    Attributes:
        id: `tool:mcp/SERVER/*` (tools are not known offline).
        agent: The agent whose configuration names it.
        server: Server name as written there.
        transport: `stdio`, `http` or `sse`.
        target: Redacted command line or URL.
        enabled: False when the file says disabled.
        unattended: True when the file lets it run without approval.
        credentials: Credentials stated in the entry, in file order. Empty means that
            it inherits the ambient credentials of the agent's scope.
        seen: Provenance.
    """

    id: ToolId
    agent: AgentId
    server: str
    transport: str
    target: str
    enabled: bool
    unattended: bool
    credentials: tuple[CredentialId, ...]
    seen: Seen
