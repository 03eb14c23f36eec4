"""Build inventory facts from one client's files: agents, tools and credentials."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace

from answerable.connectors.formats.agent_clients import (
    MANAGED_FILES,
    ClientConfigFile,
    FileRole,
    rank_settings_precedence,
)
from answerable.connectors.formats.agent_definition import (
    AgentDefinition,
    ToolPatterns,
    find_sub_agent_parents,
    parse_agent_definition,
)
from answerable.connectors.formats.agent_settings import (
    AgentSettings,
    apply_codex_profile,
    list_sub_agent_settings,
    parse_agent_settings,
    parse_approval_modes,
)
from answerable.connectors.formats.configured_credentials import (
    ConfigOrigin,
    StatedCredentialReader,
)
from answerable.connectors.formats.document_node import DocumentNode
from answerable.connectors.formats.document_parser import ParsedDocument
from answerable.connectors.formats.env_file import EnvFileReader
from answerable.connectors.formats.found_credential_facts import (
    SightingContext,
    join_file_and_pointer,
)
from answerable.connectors.formats.mcp_server_entry import McpServerEntry
from answerable.connectors.formats.mcp_server_map import parse_server_maps
from answerable.connectors.formats.redaction import redact_name
from answerable.connectors.formats.selected_logins import ReferencedFileReader
from answerable.connectors.formats.tool_rules import (
    RuledBuiltInTool,
    build_built_in_tool,
    describe_sub_agent_rule,
    list_built_in_tools,
    restrict_tool_for_sub_agent,
)
from answerable.model.agent import Agent, FactStatus
from answerable.model.credential import Credential, CredentialLink
from answerable.model.identity import Identity
from answerable.model.ids import (
    AgentId,
    CredentialId,
    IdentityId,
    build_agent_id,
    build_mcp_tool_id,
)
from answerable.model.provenance import WrittenBy
from answerable.model.sighting import ReadProblem, ReadProblemKind
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

    entry: ClientConfigFile
    stem: str
    document: ParsedDocument
    written_by: WrittenBy
    inherited: bool = False


@dataclass(slots=True)
class ClientFacts:
    """Combined sightings of one client's files."""

    agents: list[Agent] = field(default_factory=list)
    tools: list[Tool] = field(default_factory=list)
    credentials: list[Credential] = field(default_factory=list)
    links: list[CredentialLink] = field(default_factory=list)
    identities: list[Identity] = field(default_factory=list)
    problems: list[ReadProblem] = field(default_factory=list)


def build_client_facts(
    kind: str,
    id_parts: Sequence[str],
    files: Sequence[ConfigDocument],
    context: SightingContext,
    read_env_file: EnvFileReader,
    read_named_file: ReferencedFileReader = lambda place, name: None,
) -> ClientFacts:
    """Build the inventory facts of one client's files.

    Args:
        kind: Agent kind.
        id_parts: The rest of the agent's id.
        files: Its files, the main one first.
        context: Context shared by all sightings.
        read_env_file: Reads an environment file that an entry names.
        read_named_file: Reads a credential file that an entry names.
    """
    named = tuple(map(redact_name, id_parts))
    credentials = StatedCredentialReader(context, read_env_file, read_named_file)
    reader = _ClientReader(kind, named, context, credentials)
    for file in files:
        reader.report_duplicate_keys(file)
        if file.inherited:
            reader.read_inherited_settings(file)
        elif file.entry.role is FileRole.AGENT:
            reader.add_agent_definition(file)
        else:
            reader.read_configuration(file)
    return reader.build_agents_and_tools()


@dataclass(slots=True)
class _ClientReader:
    kind: str
    parts: tuple[str, ...]
    context: SightingContext
    credentials: StatedCredentialReader
    facts: ClientFacts = field(default_factory=ClientFacts)
    approved: dict[str, bool] = field(default_factory=dict)
    roots: list[ConfigDocument] = field(default_factory=list)
    settings: list[AgentSettings] = field(default_factory=list)
    ranks: list[int] = field(default_factory=list)
    environment: dict[CredentialId, None] = field(default_factory=dict)
    servers: list[tuple[McpServerEntry, ConfigDocument]] = field(default_factory=list)
    definitions: list[tuple[AgentDefinition, ConfigDocument]] = field(
        default_factory=list
    )
    unattended: bool = False
    """The client's mode allows calls without a person's approval."""

    def report_duplicate_keys(self, file: ConfigDocument) -> None:
        """Add a problem for each repeated key of a file."""
        for pointer in file.document.duplicate_keys:
            place = join_file_and_pointer(file.document.place, pointer)
            what = "duplicate key; the last value was used"
            self.facts.problems.append(
                ReadProblem(ReadProblemKind.INVALID, place, what)
            )

    def read_configuration(self, file: ConfigDocument) -> None:
        """Read MCP servers, settings and credentials of a file."""
        root, place = file.document.root, file.document.place
        origin = ConfigOrigin(place, file.written_by)
        if not root.is_object:
            problem = ReadProblem(ReadProblemKind.INVALID, place, "not an object")
            self.facts.problems.append(problem)
            return
        maps = parse_server_maps(file.entry, root)
        if maps.maps or file.entry.role is not FileRole.SERVERS:
            self.roots.append(file)
        for pointer, what in maps.faults:
            self.facts.problems.append(
                ReadProblem(
                    ReadProblemKind.INVALID, join_file_and_pointer(place, pointer), what
                )
            )
        self.servers += [(server, file) for server in maps.servers]
        settings = parse_agent_settings(self.kind, root, maps.maps)
        self.settings.append(settings)
        self.ranks.append(rank_settings_precedence(file.entry))
        self.environment |= dict.fromkeys(
            self.credentials.add_found_credentials(settings.environment, origin)
        )
        read = {item.pointer for item in maps.declared}
        swept = (item for item in settings.found if item.pointer not in read)
        found = (*maps.declared, *swept)
        if file.entry.role is FileRole.LOGIN:
            found = tuple(replace(item, kind="oauth-token") for item in found)
        self.credentials.add_found_credentials(found, origin)

    def read_inherited_settings(self, file: ConfigDocument) -> None:
        """Read modes, rules and variables of inherited settings."""
        root = file.document.root
        if not root.is_object:
            return
        settings = parse_agent_settings(self.kind, root, ())
        self.settings.append(settings)
        rank = rank_settings_precedence(file.entry)
        self.ranks.append(rank if file.entry in MANAGED_FILES else rank - 1)
        origin = ConfigOrigin(file.document.place, file.written_by)
        found = self.credentials.add_found_credentials(settings.environment, origin)
        self.environment |= dict.fromkeys(found)

    def add_agent_definition(self, file: ConfigDocument) -> None:
        """Parse and add the definition file of a sub-agent or custom agent."""
        definition = parse_agent_definition(file.document.root, file.stem)
        self.definitions.append((definition, file))

    def build_agents_and_tools(self) -> ClientFacts:
        """Build the client's agents, tools and credentials from all read files."""
        main = build_agent_id(self.kind, *self.parts)
        kept = self.roots + [file for _, file in self.definitions]
        own: tuple[RuledBuiltInTool, ...] = ()
        if kept:
            roots = self.list_settings_roots()
            facts, self.unattended = parse_approval_modes(self.kind, roots)
            self.facts.agents.append(self.build_main_agent(main, kept[0], facts))
            own = list_built_in_tools(self.kind, roots, unattended=self.unattended)
        for server, file in self.servers:
            self.add_server_tool(main, server, file)
        for built_in in own:
            self.add_built_in_tool(main, built_in, kept[0])
        parents = find_sub_agent_parents([item for item, _ in self.definitions])
        for definition, file in self.definitions:
            self.add_sub_agent(main, definition, file, parents.get(definition.name, ""))
        read = self.credentials
        self.facts.credentials += read.credentials
        self.facts.links += read.links
        self.facts.identities += read.identities
        return self.facts

    def list_settings_roots(self) -> list[DocumentNode]:
        """List the settings documents, highest precedence first."""
        ranked = sorted(range(len(self.ranks)), key=lambda at: -self.ranks[at])
        return apply_codex_profile(self.kind, [self.settings[at].root for at in ranked])

    def add_built_in_tool(
        self, agent: AgentId, tool: RuledBuiltInTool, file: ConfigDocument
    ) -> None:
        """Add a built-in tool of an agent."""
        seen = self.context.get_provenance(file.document.place, file.written_by)
        found = build_built_in_tool(
            tool, self.kind, agent, tuple(self.environment), seen
        )
        self.facts.tools.append(found)

    def build_main_agent(
        self,
        main: AgentId,
        file: ConfigDocument,
        modes: tuple[tuple[str, str], ...],
    ) -> Agent:
        """Build the main agent of the client."""
        facts = {fact for settings in self.settings for fact in settings.facts}
        facts.update(modes)
        return Agent(
            id=main,
            kind=self.kind,
            name=self.kind,
            place=file.document.place,
            scope=self.context.scope,
            parent=None,
            unattended=self.unattended,
            known=FactStatus.DECLARED,
            runs_as=(),
            note="",
            facts=tuple(sorted(facts)),
            seen=self.context.get_provenance(file.document.place, file.written_by),
        )

    def add_sub_agent(
        self,
        main: AgentId,
        definition: AgentDefinition,
        file: ConfigDocument,
        parent: str,
    ) -> None:
        """Add a sub-agent with the tools that it may use."""
        name = redact_name(definition.name)
        this = build_agent_id(self.kind, *self.parts, name)
        above = (
            build_agent_id(self.kind, *self.parts, redact_name(parent))
            if parent
            else main
        )
        place = file.document.place
        self.facts.agents.append(
            Agent(
                id=this,
                kind=self.kind,
                name=name,
                place=place,
                scope=self.context.scope,
                parent=above,
                unattended=definition.unattended,
                known=FactStatus.DECLARED,
                runs_as=(),
                note="",
                facts=list_sub_agent_settings(definition),
                seen=self.context.get_provenance(place, file.written_by),
            )
        )
        for server in definition.servers:
            self.add_server_tool(this, server, file, definition)
        for server, origin in self.servers:
            self.add_server_tool(
                this, server, origin, definition, apply_tool_lists=True
            )
        roots = [file.document.root, *self.list_settings_roots()]
        for built_in in list_built_in_tools(
            self.kind, roots, unattended=self.unattended
        ):
            self.add_built_in_tool(
                this, restrict_tool_for_sub_agent(built_in, definition), file
            )

    def add_server_tool(
        self,
        agent: AgentId,
        server: McpServerEntry,
        file: ConfigDocument,
        definition: AgentDefinition | None = None,
        *,
        apply_tool_lists: bool = False,
    ) -> None:
        """Add the tool of an MCP server.

        Args:
            agent: Agent with this server.
            server: Server entry.
            file: File with the entry.
            definition: The definition of a sub-agent.
            apply_tool_lists: Whether the definition's tool lists apply to it, as they do to
                servers of the main agent.
        """
        place = join_file_and_pointer(file.document.place, server.pointer)
        origin = ConfigOrigin(file.document.place, file.written_by)
        rule, allowed = "", True
        if definition is not None and apply_tool_lists:
            rule, allowed = describe_sub_agent_rule(server.name, definition)
        if len(self.facts.tools) >= TOOLS_LIMIT:
            what = f"more than {TOOLS_LIMIT} tools of one client"
            problem = ReadProblem(ReadProblemKind.TOO_LARGE, file.document.place, what)
            if problem not in self.facts.problems:
                self.facts.problems.append(problem)
            return
        name = redact_name(server.name)
        self.facts.tools.append(
            Tool(
                id=build_mcp_tool_id(name),
                agent=agent,
                server=name,
                transport=server.transport,
                target=server.target,
                enabled=server.enabled
                and allowed
                and not self.is_server_disabled(server),
                unattended=self.may_run_unattended(server, definition),
                credentials=self.credentials.read_server_credentials(server, origin),
                seen=self.context.get_provenance(place, file.written_by),
                rule=rule,
                mounts=self.credentials.list_home_mounts(server),
            )
        )

    def is_server_disabled(self, server: McpServerEntry) -> bool:
        """Return whether settings disable or deny a whole server."""
        return any(
            server.name in settings.disabled
            or server.pointer in settings.disabled
            or f"mcp__{server.name}" in settings.denied
            or f"mcp__{server.name}__*" in settings.denied
            for settings in self.settings
        )

    def may_run_unattended(
        self, server: McpServerEntry, definition: AgentDefinition | None
    ) -> bool:
        """Return whether a tool of the server may run without approval."""
        own = definition.allowed if definition is not None else ToolPatterns()
        if server.name not in self.approved:
            self.approved[server.name] = any(
                settings.allowed.mentions_server(server.name)
                for settings in self.settings
            )
        asks_nobody = definition is not None and definition.unattended
        return (
            self.unattended
            or asks_nobody
            or server.unattended
            or self.approved[server.name]
            or own.mentions_server(server.name)
        )


def convert_arns_to_identity_ids(*arns: str) -> tuple[IdentityId, ...]:
    """Convert the ARNs that an agent runs as to identity ids, without repeats."""
    return tuple(IdentityId(arn) for arn in dict.fromkeys(arns))
