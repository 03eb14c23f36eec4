"""Join AI agents with their tools and every identity they can act through."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from answerable.model.agent import Agent
from answerable.model.credential import (
    MODEL_KEYS,
    Credential,
    CredentialClass,
    get_platform_of_default_credential,
)
from answerable.model.ids import (
    AgentId,
    CredentialId,
    IdentityId,
    build_agent_id,
    parse_arn_account,
)
from answerable.model.inventory import AgentEntity, CredentialEntity, ToolUse
from answerable.model.sighting import SightedFacts
from answerable.model.tool import BUILT_IN, CONTAINER, REMOTE, SHELL, Tool

_PLATFORMS = ("bedrock", "agentcore")
# Transports of built-in tools that can open any file of their host account.
_FILE_READING_TRANSPORTS = (SHELL, "file")
_MAX_ANCESTORS = 100  # most ancestors; a longer chain is a cycle


def join_agents_with_tools(
    facts: SightedFacts, credentials: Mapping[CredentialId, CredentialEntity]
) -> Mapping[AgentId, AgentEntity]:
    """Join agents with their tools, and these with their credentials.

    A local server that states no credential but a model provider's key acts with the
    ambient credentials of its agent's host account; a shell also acts with those of the agent's environment.
    A file or fetch tool acts with no credential; it could read all those of the shell.
    A shell or file tool could also read the keys in other files of its home
    and its project: an environment file, the configuration of another client.
    A remote server runs elsewhere and has no ambient credential of this host.
    A subagent that states no tools has its parent's; one that names a server of its
    parent's uses it with the parent's credential.
    """
    ambient = _index_default_chain_credentials(facts.credentials)
    agents = {agent.id: agent for agent in facts.agents}
    stated: dict[AgentId, list[Tool]] = defaultdict(list)
    for tool in facts.tools:
        stated[tool.agent].append(tool)

    named = _index_default_chain_credentials(facts.credentials, include_explicit=True)
    readable = _ReadableKeys(facts.credentials, credentials)
    scopes = tuple({*named, *(agent.scope for agent in facts.agents)} - {""})

    def use(tool: Tool, agent: Agent) -> ToolUse:
        scope = _find_os_account_of_tool(tool, agent, scopes)
        chain = named if tool.transport in BUILT_IN else ambient
        found = _build_tool_entity(tool, chain.get(scope, ()), credentials)
        if tool.transport not in _FILE_READING_TRANSPORTS:
            return found
        read = readable.list_keys_readable_by_tool(scope, tool.seen.source)
        if tool.has_only_indirect_identities:
            reached = {
                *found.identities,
                *_list_identities_of_credentials(read, credentials),
            }
            found = replace(found, identities=tuple(sorted(reached)))
        return replace(found, readable=read)

    own = {
        agent.id: tuple(use(tool, agent) for tool in stated.get(agent.id, ()))
        for agent in facts.agents
    }
    return {
        key: _build_agent_entity(
            agent, _add_inherited_tools(agent, own, agents), credentials
        )
        for key, agent in sorted(agents.items())
    }


@dataclass(slots=True)
class _ReadableKeys:
    """Index of keys in files, by home and by scan.

    It holds keys that prove an identity, or could prove one of AWS. Keys of services
    that no source scans (a model provider, a registry) cannot change an answer.
    """

    _by: dict[str, tuple[CredentialId, ...]]

    def __init__(
        self,
        sightings: Iterable[Credential],
        credentials: Mapping[CredentialId, CredentialEntity],
    ) -> None:
        found: dict[str, dict[CredentialId, None]] = defaultdict(dict)
        for sighting in sightings:
            entity = credentials.get(sighting.id)
            proves = entity is not None and entity.identity is not None
            telling = (
                proves or get_platform_of_default_credential(sighting.kind) == "aws"
            )
            if sighting.cls is CredentialClass.LITERAL and telling:
                for key in {sighting.scope, sighting.seen.source} - {""}:
                    found[key][sighting.id] = None
        self._by = {key: tuple(sorted(ids)) for key, ids in found.items()}

    def list_keys_readable_by_tool(
        self, scope: str, source: str
    ) -> tuple[CredentialId, ...]:
        """List the keys in files that a tool of a home and scan could read."""
        first, second = self._by.get(scope, ()), self._by.get(source, ())
        both = first and second and first != second
        return tuple(sorted({*first, *second})) if both else first or second


def _find_os_account_of_tool(tool: Tool, agent: Agent, scopes: Iterable[str]) -> str:
    """Return the OS account that a tool runs under, from its home.

    An agent has tools of several homes or projects if they share its name.
    """
    kind, _, path = tool.seen.source.partition(":")
    if kind not in ("home", "repo") or agent.seen.source == tool.seen.source:
        return agent.scope
    if kind == "home":
        return tool.seen.source
    around = (s for s in scopes if f"home:{path}/".startswith(f"{s}/"))
    return max(around, key=len, default=agent.scope)


def drop_duplicate_inferred_agents(agents: Sequence[Agent]) -> tuple[Agent, ...]:
    """Drop an agent guessed from a role trust policy if it is listed.

    The inferred agent is named after its role; the listed one runs as that role.
    """
    listed = {
        build_agent_id(agent.kind, account, role.rpartition("/")[2])
        for agent in agents
        if agent.kind in _PLATFORMS and not agent.note
        for role in agent.runs_as
        if (account := parse_arn_account(role))
    }
    return tuple(a for a in agents if not (a.note and a.id in listed))


def _index_default_chain_credentials(
    sightings: Iterable[Credential], *, include_explicit: bool = False
) -> Mapping[str, tuple[CredentialId, ...]]:
    """Index default-chain credentials by the host's OS account.

    Args:
        sightings: All credentials.
        include_explicit: Also those that must be named (another profile, another
            context), since a command line can name any of them.
    """
    found: dict[str, dict[CredentialId, None]] = defaultdict(dict)
    for sighting in sightings:
        ambient = sighting.cls is CredentialClass.AMBIENT
        if (
            ambient
            and sighting.scope
            and (include_explicit or not sighting.explicit_only)
        ):
            found[sighting.scope][sighting.id] = None
    return {scope: tuple(sorted(ids)) for scope, ids in found.items()}


def _build_tool_entity(
    tool: Tool,
    ambient: tuple[CredentialId, ...],
    credentials: Mapping[CredentialId, CredentialEntity],
) -> ToolUse:
    """Build a tool's entity: credentials it uses, identities it may read."""
    if tool.has_only_indirect_identities:
        readable = _list_identities_of_credentials(
            (*tool.credentials, *ambient), credentials
        )
        return ToolUse(tool, (), readable, inherited=False)
    if tool.mounts:
        ambient = _select_credentials_mounted_in_container(tool, ambient, credentials)
        ids = tuple(dict.fromkeys((*tool.credentials, *ambient)))
        return ToolUse(
            tool,
            ids,
            _list_identities_of_credentials(ids, credentials),
            inherited=bool(ambient),
        )
    inherits = _uses_default_credential_chain(tool, credentials)
    inherited = ambient if inherits else ()
    ids = tuple(dict.fromkeys((*tool.credentials, *inherited)))
    return ToolUse(
        tool, ids, _list_identities_of_credentials(ids, credentials), inherits
    )


def _select_credentials_mounted_in_container(
    tool: Tool,
    ambient: Iterable[CredentialId],
    credentials: Mapping[CredentialId, CredentialEntity],
) -> tuple[CredentialId, ...]:
    """Select the ambient credentials whose files a container mounts.

    If its entry states a credential for a platform, that one alone counts.
    """
    stated = {
        get_platform_of_default_credential(sighting.kind)
        for key in tool.credentials
        if (entity := credentials.get(key)) is not None
        for sighting in entity.sightings
    }
    return tuple(
        key
        for key in ambient
        if (entity := credentials.get(key)) is not None
        for sighting in entity.sightings[:1]
        if get_platform_of_default_credential(sighting.kind) not in stated - {""}
        and any(_is_path_mounted(each.place, tool.mounts) for each in entity.sightings)
    )


def _is_path_mounted(path: str, mounts: Iterable[str]) -> bool:
    """Return whether a file is under one of some mounts."""
    file = path.partition("#")[0]
    return any(file == mount or file.startswith(f"{mount}/") for mount in mounts)


def _uses_default_credential_chain(
    tool: Tool, credentials: Mapping[CredentialId, CredentialEntity]
) -> bool:
    """Return whether a tool acts with the ambient credentials of the agent's host."""
    if tool.transport == SHELL:
        return True
    stated = any(
        not _is_model_provider_api_key(credentials.get(key)) for key in tool.credentials
    )
    return not stated and tool.transport not in (*REMOTE, CONTAINER)


def _is_model_provider_api_key(entity: CredentialEntity | None) -> bool:
    """Return whether a credential is only ever a model provider's API key."""
    return entity is not None and all(
        each.name in MODEL_KEYS for each in entity.sightings
    )


def _list_identities_of_credentials(
    ids: Iterable[CredentialId], credentials: Mapping[CredentialId, CredentialEntity]
) -> tuple[IdentityId, ...]:
    """List the identities that credentials prove."""
    proved = (credentials[i].identity for i in ids if i in credentials)
    return tuple(sorted({identity for identity in proved if identity is not None}))


def _add_inherited_tools(
    agent: Agent,
    own_tools: Mapping[AgentId, tuple[ToolUse, ...]],
    agents: Mapping[AgentId, Agent],
) -> tuple[ToolUse, ...]:
    """Return an agent's tools with those it inherits from parents."""
    line = _list_parent_agents(agent, agents)
    mine = own_tools[agent.id]
    built_in = tuple(use for use in mine if use.tool.transport in BUILT_IN)
    servers = tuple(use for use in mine if use.tool.transport not in BUILT_IN)
    if not servers:
        if _has_tool_restriction(agent):
            return built_in
        return _add_tools_of_nearest_ancestor(
            built_in, (own_tools[parent] for parent in line)
        )
    above: dict[str, ToolUse] = {}
    for parent in line:
        for use in own_tools[parent]:
            above.setdefault(use.tool.server, use)
    return (
        *built_in,
        *(
            _add_credential_of_parent_server(use, above.get(use.tool.server))
            for use in servers
        ),
    )


def _add_tools_of_nearest_ancestor(
    built_in: tuple[ToolUse, ...], ancestor_tools: Iterable[tuple[ToolUse, ...]]
) -> tuple[ToolUse, ...]:
    """Add the nearest ancestor's tools to the built-in ones."""
    above = next((uses for uses in ancestor_tools if uses), ())
    known = {use.tool.id for use in built_in}
    return (*built_in, *(use for use in above if use.tool.id not in known))


def _add_credential_of_parent_server(use: ToolUse, parent: ToolUse | None) -> ToolUse:
    """Add the parent's credential to a server that the parent configures."""
    if parent is None or use.tool.credentials:
        return use
    return ToolUse(use.tool, parent.credentials, parent.identities, parent.inherited)


def _list_parent_agents(
    agent: Agent, agents: Mapping[AgentId, Agent]
) -> Sequence[AgentId]:
    """List the parent agents, nearest first; a cycle is ended."""
    line: list[AgentId] = []
    parent = agent.parent
    while (
        parent is not None
        and parent in agents
        and parent not in line
        and parent != agent.id
        and len(line) < _MAX_ANCESTORS
    ):
        line.append(parent)
        parent = agents[parent].parent
    return line


def _has_tool_restriction(agent: Agent) -> bool:
    """Return whether an agent's definition limits its tools."""
    return any(n == "tools" and v != "inherits all" for n, v in agent.facts)


def _build_agent_entity(
    agent: Agent,
    tools: tuple[ToolUse, ...],
    credentials: Mapping[CredentialId, CredentialEntity],
) -> AgentEntity:
    """Build an agent's entity; disabled tools count, as it could enable them."""
    reached = {identity for use in tools for identity in use.identities}
    for read in {use.readable for use in tools}:
        reached |= set(_list_identities_of_credentials(read, credentials))
    return AgentEntity(agent, tools, tuple(sorted(reached | set(agent.runs_as))))
