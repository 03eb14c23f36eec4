"""Type of agents' tools: configured MCP servers and a client's built-in tools."""

from dataclasses import dataclass

from answerable.model.ids import AgentId, CredentialId, ToolId
from answerable.model.provenance import FactProvenance

REMOTE = ("http", "sse")
# A server that runs in a container: no file of the host is in it that is not mounted.
CONTAINER = "container"
SHELL = "shell"
# Built-in tools of a client: they run commands, read and write files, fetch pages.
BUILT_IN = (SHELL, "file", "fetch")
TRANSPORTS = ("stdio", *REMOTE, CONTAINER, *BUILT_IN)
# These call no service themselves: what they can do is read a credential.
_READ_ONLY_TRANSPORTS = ("file", "fetch")


@dataclass(frozen=True, slots=True)
class Tool:
    """MCP server entry of an agent, or a built-in tool of its client.

    Attributes:
        id: `tool:mcp/SERVER/*` (tools are not known offline), or `tool:CLIENT/NAME`
            for a built-in tool.
        agent: The agent whose configuration names it.
        server: Server name as written there, or the name of a built-in tool.
        transport: `stdio`, `http`, `sse` or `container`; `shell`, `file` or `fetch` for
            a built-in tool.
        target: Redacted command line or URL.
        enabled: False when the file says disabled.
        unattended: True when the file lets it run without approval.
        credentials: Credentials stated in the entry, in file order. A local server
            that states none inherits the ambient credentials of the agent's scope; a
            shell has those as well; a remote server has none of them.
        mounts: Files and folders of the host that a `container` can see.
        rule: The client's rule that narrows it, as its file states it; empty for none.
    """

    id: ToolId
    agent: AgentId
    server: str
    transport: str
    target: str
    enabled: bool
    unattended: bool
    credentials: tuple[CredentialId, ...]
    seen: FactProvenance
    rule: str = ""
    mounts: tuple[str, ...] = ()

    @property
    def has_only_indirect_identities(self) -> bool:
        """Return whether it has an identity only through credentials it reads."""
        return self.transport in _READ_ONLY_TRANSPORTS
