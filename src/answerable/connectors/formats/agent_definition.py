"""Parse definitions of sub-agents: Markdown with front matter, or JSON."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.mcp_server_entry import (
    McpServerEntry,
    parse_server_entry,
)

_STARTED_AGENTS = re.compile(r"(?:Agent|Task)\(([^()]{1,500})\)")
_TOOLS_LIMIT = 500
_UNATTENDED_MODES = frozenset(("bypassPermissions", "auto"))


class ToolPatterns:
    """Tool patterns, indexed for fast lookups by server.

    Claude Code writes `mcp__SERVER`, `mcp__SERVER__*` and `mcp__SERVER__TOOL`; Amazon Q
    and Kiro write `@SERVER` and `@SERVER/TOOL`; others `SERVER/*`; `*` is every tool.
    """

    def __init__(self, patterns: Iterable[str] = ()) -> None:
        self._known = frozenset(patterns)
        self._sorted = sorted(self._known)

    def covers_server(self, server: str) -> bool:
        """Return whether a tool pattern covers every tool of an MCP server."""
        return not self._known.isdisjoint(
            (
                "*",
                "all",
                server,
                f"{server}/*",
                f"@{server}",
                f"mcp__{server}",
                f"mcp__{server}__*",
            )
        )

    def mentions_server(self, server: str) -> bool:
        """Return whether a pattern names a server or one of its tools."""
        return self.covers_server(server) or any(
            map(self._has_prefix, (f"mcp__{server}__", f"@{server}/"))
        )

    def _has_prefix(self, prefix: str) -> bool:
        """Return whether some tool pattern begins with this text."""
        at = bisect_left(self._sorted, prefix)
        return at < len(self._sorted) and self._sorted[at].startswith(prefix)


@dataclass(frozen=True, slots=True)
class AgentDefinition:
    """Parsed agent definition.

    Attributes:
        name: Its name, or the file's stem.
        tools: Tools it may use; None if omitted, which inherits all.
        denied: Tools it may not use.
        mode: Permission mode, empty if inherited.
        model: Model, empty if inherited.
        starts: Types of agents it may start (`Agent(type)`).
        servers: Servers defined in the file itself.
        named_servers: Names of servers configured elsewhere that it refers to.
        unattended: True if its mode needs no approval.
        allowed: Tools it may use without approval.
        granted: `tools`, indexed by server.
        refused: `denied`, indexed by server.
    """

    name: str
    tools: tuple[str, ...] | None
    denied: tuple[str, ...]
    mode: str
    model: str
    starts: tuple[str, ...]
    servers: tuple[McpServerEntry, ...]
    named_servers: frozenset[str]
    unattended: bool
    allowed: ToolPatterns
    granted: ToolPatterns
    refused: ToolPatterns

    def may_use_server(self, server: str) -> bool:
        """Return whether a sub-agent may use tools of its parent's MCP server."""
        if self.refused.covers_server(server):
            return False
        if self.tools is None or server in self.named_servers:
            return True
        return self.granted.mentions_server(server)


def parse_agent_definition(root: DocumentNode, file_stem: str) -> AgentDefinition:
    """Parse the definition of a sub-agent or custom agent.

    Args:
        root: The front matter, or the JSON object.
        file_stem: File name without its ending.
    """
    tools = _read_tool_list(root, "tools")
    denied = _read_tool_list(root, "disallowedTools", "disallowed_tools") or ()
    switches = root.get("tools")
    if switches is not None and switches.is_object:  # opencode: {"bash": false}
        tools = None
        denied += tuple(n for n, on in switches.members() if on.text() == "false")
    inline, named = _read_mcp_servers(
        root.get("mcpServers", "mcp-servers", "mcp_servers")
    )
    mode = root.text_at("permissionMode", "permission_mode")
    starts = [
        part.strip()
        for tool in tools or ()
        if (found := _STARTED_AGENTS.fullmatch(tool))
        for part in found[1].split(",")
    ]
    return AgentDefinition(
        name=root.text_at("name") or file_stem,
        tools=tools,
        denied=denied,
        mode=mode,
        model=root.text_at("model"),
        starts=tuple(dict.fromkeys(part for part in starts if part)),
        servers=inline,
        named_servers=frozenset(named),
        unattended=mode in _UNATTENDED_MODES,
        allowed=ToolPatterns(root.texts("allowedTools")[:_TOOLS_LIMIT]),
        granted=ToolPatterns(tools or ()),
        refused=ToolPatterns(denied),
    )


def _read_tool_list(root: DocumentNode, *names: str) -> tuple[str, ...] | None:
    """Read the first present tool list, None if absent."""
    node = root.get(*names)
    if node is None or node.raw is None:
        return None
    if node.is_array:
        return tuple(item.text() for item in node.items())[:_TOOLS_LIMIT]
    return split_tool_list(node.text())[:_TOOLS_LIMIT]


def split_tool_list(text: str) -> tuple[str, ...]:
    """Split `Read, Agent(a, b), Bash` at the commas outside parentheses."""
    parts: list[str] = []
    start = depth = 0
    for at, char in enumerate(text):
        depth += (char == "(") - (char == ")" and depth > 0)
        if char == "," and depth == 0:
            parts.append(text[start:at].strip())
            start = at + 1
    parts.append(text[start:].strip())
    return tuple(part for part in parts if part)


def _read_mcp_servers(
    node: DocumentNode | None,
) -> tuple[tuple[McpServerEntry, ...], tuple[str, ...]]:
    """Read `mcpServers`: a map of entries, or a list of names and entries."""
    if node is None:
        return (), ()
    inline = [
        parse_server_entry(name, entry)
        for name, entry in node.members()
        if entry.is_object
    ]
    named: list[str] = []
    for item in node.items():
        if item.text():
            named.append(item.text())
        inline += [parse_server_entry(name, entry) for name, entry in item.members()]
    named += [name for name, entry in node.members() if not entry.is_object]
    return tuple(inline), tuple(named)


def find_sub_agent_parents(definitions: Sequence[AgentDefinition]) -> dict[str, str]:
    """Find the parent of each sub-agent (`Agent(type)`), without cycles."""
    names = {definition.name for definition in definitions}
    parents: dict[str, str] = {}
    for definition in sorted(definitions, key=lambda item: item.name):
        for started in definition.starts:
            if started not in names or started in parents or started == definition.name:
                continue
            if not _is_ancestor(parents, definition.name, started):
                parents[started] = definition.name
    return parents


def _is_ancestor(parents: dict[str, str], child: str, ancestor: str) -> bool:
    """Return whether `ancestor` is `child` itself or above it in the parents."""
    while child:
        if child == ancestor:
            return True
        child = parents.get(child, "")
    return False
