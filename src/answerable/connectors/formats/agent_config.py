"""Sightings of one client's files: agents, sub-agents, tools and credentials."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.agent_clients import (
    MANAGED_FILES,
    ConfigFile,
    Role,
    precedence,
)
from answerable.connectors.formats.agent_definition import (
    AgentDefinition,
    ToolPatterns,
    parents_of,
    read_definition,
)
from answerable.connectors.formats.agent_settings import (
    AgentSettings,
    definition_facts,
    read_modes,
    read_settings,
    with_profile,
)
from answerable.connectors.formats.document_node import Node
from answerable.connectors.formats.document_parser import Document
from answerable.connectors.formats.env_file import ReadEnvFile
from answerable.connectors.formats.mcp_server_entry import McpServer
from answerable.connectors.formats.mcp_server_map import read_servers
from answerable.connectors.formats.redaction import show_name
from answerable.connectors.formats.selected_logins import ReadNamedFile
from answerable.connectors.formats.sighting_context import Frame, place_of
from answerable.connectors.formats.stated_credentials import CredentialReader, Origin
from answerable.connectors.formats.tool_rules import (
    BuiltInTool,
    built_in_tools,
    narrowed,
    server_rule,
    sight_built_in,
)
from answerable.model.agent import Agent, Known
from answerable.model.credential import Credential, CredentialLink
from answerable.model.identity import Identity
from answerable.model.ids import (
    AgentId,
    CredentialId,
    IdentityId,
    agent_id,
    tool_id,
)
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import Problem, ProblemKind
from answerable.model.tool import Tool

TOOLS_LIMIT = 20_000


@dataclass(frozen=True, slots=True)
class ConfigDocument:
    """Configuration file that was read.

    Attributes:
        stem: File name without its ending.
        written_by: Possible author.
        inherited: Whether it is above or below a project's own settings: only its
            modes, rules and variables count there.
    """

    entry: ConfigFile
    stem: str
    document: Document
    written_by: WrittenBy
    inherited: bool = False


@dataclass(slots=True)
class ClientSightings:
    """Combined sightings of one client's files."""

    agents: list[Agent] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)


def sight_client(
    kind: str,
    parts: Sequence[str],
    files: Sequence[ConfigDocument],
    frame: Frame,
    read_env_file: ReadEnvFile,
    read_named_file: ReadNamedFile = lambda place, name: None,
) -> ClientSightings:
    """Build the sightings of one client's files.

    Args:
        kind: Agent kind.
        parts: The rest of the agent's id.
        files: Its files, the main one first.
        frame: Context shared by all sightings.
        read_env_file: Reads an environment file that an entry names.
        read_named_file: Reads a credential file that an entry names.
    """
    named = tuple(map(show_name, parts))
    credentials = CredentialReader(frame, read_env_file, read_named_file)
    reader = _Reader(kind, named, frame, credentials)
    for file in files:
        reader.problems_of(file)
        if file.inherited:
            reader.inherit(file)
        elif file.entry.role is Role.AGENT:
            reader.definition(file)
        else:
            reader.configuration(file)
    return reader.finish()


@dataclass(slots=True)
class _Reader:
    kind: str
    parts: tuple[str, ...]
    frame: Frame
    credentials: CredentialReader
    out: ClientSightings = field(default_factory=ClientSightings)
    approved: dict[str, bool] = field(default_factory=dict)
    roots: list[ConfigDocument] = field(default_factory=list)
    settings: list[AgentSettings] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    environment: dict[CredentialId, None] = field(default_factory=dict)
    servers: list[tuple[McpServer, ConfigDocument]] = field(default_factory=list)
    definitions: list[tuple[AgentDefinition, ConfigDocument]] = field(
        default_factory=list
    )
    unattended: bool = False
    """The client's mode asks no person before a call."""

    def problems_of(self, file: ConfigDocument) -> None:
        for pointer in file.document.doubled:
            place = place_of(file.document.place, pointer)
            what = "a key is repeated; its last value was read"
            self.out.problems.append(Problem(ProblemKind.INVALID, place, what))

    def configuration(self, file: ConfigDocument) -> None:
        root, place = file.document.root, file.document.place
        origin = Origin(place, file.written_by)
        if not root.is_object:
            problem = Problem(ProblemKind.INVALID, place, "not an object")
            self.out.problems.append(problem)
            return
        maps = read_servers(file.entry, root)
        if maps.maps or file.entry.role is not Role.SERVERS:
            self.roots.append(file)
        for pointer, what in maps.faults:
            self.out.problems.append(
                Problem(ProblemKind.INVALID, place_of(place, pointer), what)
            )
        self.servers += [(server, file) for server in maps.servers]
        settings = read_settings(self.kind, root, maps.maps)
        self.settings.append(settings)
        self.ranks.append(precedence(file.entry))
        self.environment |= dict.fromkeys(
            self.credentials.sight(settings.environment, origin)
        )
        read = {item.pointer for item in maps.declared}
        swept = (item for item in settings.found if item.pointer not in read)
        found = (*maps.declared, *swept)
        if file.entry.role is Role.LOGIN:
            found = tuple(replace(item, kind="oauth-token") for item in found)
        self.credentials.sight(found, origin)

    def inherit(self, file: ConfigDocument) -> None:
        """Read modes, rules and variables of inherited settings."""
        root = file.document.root
        if not root.is_object:
            return
        settings = read_settings(self.kind, root, ())
        self.settings.append(settings)
        rank = precedence(file.entry)
        self.ranks.append(rank if file.entry in MANAGED_FILES else rank - 1)
        origin = Origin(file.document.place, file.written_by)
        found = self.credentials.sight(settings.environment, origin)
        self.environment |= dict.fromkeys(found)

    def definition(self, file: ConfigDocument) -> None:
        definition = read_definition(file.document.root, file.stem)
        self.definitions.append((definition, file))

    def finish(self) -> ClientSightings:
        main = agent_id(self.kind, *self.parts)
        kept = self.roots + [file for _, file in self.definitions]
        own: tuple[BuiltInTool, ...] = ()
        if kept:
            roots = self.documents()
            facts, self.unattended = read_modes(self.kind, roots)
            self.out.agents.append(self.main_agent(main, kept[0], facts))
            own = built_in_tools(self.kind, roots, unattended=self.unattended)
        for server, file in self.servers:
            self.tool(main, server, file)
        for built_in in own:
            self.built_in(main, built_in, kept[0])
        parents = parents_of([item for item, _ in self.definitions])
        for definition, file in self.definitions:
            self.sub_agent(main, definition, file, parents.get(definition.name, ""))
        read = self.credentials
        self.out.credentials += read.credentials
        self.out.links += read.links
        self.out.identities += read.identities
        return self.out

    def documents(self) -> list[Node]:
        """List the settings documents, highest precedence first."""
        ranked = sorted(range(len(self.ranks)), key=lambda at: -self.ranks[at])
        return with_profile(self.kind, [self.settings[at].root for at in ranked])

    def built_in(self, agent: AgentId, tool: BuiltInTool, file: ConfigDocument) -> None:
        seen = self.frame.seen(file.document.place, file.written_by)
        found = sight_built_in(tool, self.kind, agent, tuple(self.environment), seen)
        self.out.tools.append(found)

    def main_agent(
        self,
        main: AgentId,
        file: ConfigDocument,
        modes: tuple[tuple[str, str], ...],
    ) -> Agent:
        facts = {fact for settings in self.settings for fact in settings.facts}
        facts.update(modes)
        return Agent(
            id=main,
            kind=self.kind,
            name=self.kind,
            place=file.document.place,
            scope=self.frame.scope,
            parent=None,
            unattended=self.unattended,
            known=Known.DECLARED,
            runs_as=(),
            note="",
            facts=tuple(sorted(facts)),
            seen=self.frame.seen(file.document.place, file.written_by),
        )

    def sub_agent(
        self,
        main: AgentId,
        definition: AgentDefinition,
        file: ConfigDocument,
        parent: str,
    ) -> None:
        name = show_name(definition.name)
        this = agent_id(self.kind, *self.parts, name)
        above = agent_id(self.kind, *self.parts, show_name(parent)) if parent else main
        place = file.document.place
        self.out.agents.append(
            Agent(
                id=this,
                kind=self.kind,
                name=name,
                place=place,
                scope=self.frame.scope,
                parent=above,
                unattended=definition.unattended,
                known=Known.DECLARED,
                runs_as=(),
                note="",
                facts=definition_facts(definition),
                seen=self.frame.seen(place, file.written_by),
            )
        )
        for server in definition.servers:
            self.tool(this, server, file, definition)
        for server, origin in self.servers:
            self.tool(this, server, origin, definition, ruled=True)
        roots = [file.document.root, *self.documents()]
        for built_in in built_in_tools(self.kind, roots, unattended=self.unattended):
            self.built_in(this, narrowed(built_in, definition), file)

    def tool(
        self,
        agent: AgentId,
        server: McpServer,
        file: ConfigDocument,
        definition: AgentDefinition | None = None,
        *,
        ruled: bool = False,
    ) -> None:
        """Build the sighting of an MCP server.

        Args:
            agent: Agent with this server.
            server: Server entry.
            file: File with the entry.
            definition: The definition of a sub-agent.
            ruled: Whether the definition's tool lists apply to it, as they do to
                servers of the main agent.
        """
        place = place_of(file.document.place, server.pointer)
        origin = Origin(file.document.place, file.written_by)
        rule, allowed = "", True
        if definition is not None and ruled:
            rule, allowed = server_rule(server.name, definition)
        if len(self.out.tools) >= TOOLS_LIMIT:
            what = f"more than {TOOLS_LIMIT} tools of one client"
            problem = Problem(ProblemKind.TOO_LARGE, file.document.place, what)
            if problem not in self.out.problems:
                self.out.problems.append(problem)
            return
        name = show_name(server.name)
        self.out.tools.append(
            Tool(
                id=tool_id(name),
                agent=agent,
                server=name,
                transport=server.transport,
                target=server.target,
                enabled=server.enabled and allowed and not self.is_off(server),
                unattended=self.is_unattended(server, definition),
                credentials=self.credentials.stated_by(server, origin),
                seen=self.frame.seen(place, file.written_by),
                rule=rule,
                mounts=self.credentials.mounts(server),
            )
        )

    def is_off(self, server: McpServer) -> bool:
        return any(
            server.name in settings.disabled
            or server.pointer in settings.disabled
            or f"mcp__{server.name}" in settings.denied
            or f"mcp__{server.name}__*" in settings.denied
            for settings in self.settings
        )

    def is_unattended(
        self, server: McpServer, definition: AgentDefinition | None
    ) -> bool:
        own = definition.allowed if definition is not None else ToolPatterns()
        if server.name not in self.approved:
            self.approved[server.name] = any(
                settings.allowed.name(server.name) for settings in self.settings
            )
        asks_nobody = definition is not None and definition.unattended
        return (
            self.unattended
            or asks_nobody
            or server.unattended
            or self.approved[server.name]
            or own.name(server.name)
        )


def runs_as(*arns: str) -> tuple[IdentityId, ...]:
    """Build the identities that an agent's platform runs it under."""
    return tuple(IdentityId(arn) for arn in dict.fromkeys(arns))
