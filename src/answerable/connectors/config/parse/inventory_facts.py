"""Build inventory facts from a configuration: agents, owners and allowed tools."""

from answerable.connectors.config.parse.agents import DECLARED_KIND
from answerable.connectors.formats.found_credential_facts import SightingContext
from answerable.connectors.formats.redaction import make_printable_line
from answerable.model.agent import Agent, FactStatus
from answerable.model.config import Config, DeclaredAgent, UpstreamServer
from answerable.model.ids import build_mcp_tool_id, build_person_id
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.sighting import SightedFacts
from answerable.model.tool import Tool

_MAX_SHOWN = 200


def build_config_facts(config: Config, context: SightingContext) -> SightedFacts:
    """Build the inventory's agents, tools and links from `answerable.yaml`."""
    servers = {server.name: server for server in config.servers}
    owned = [agent for agent in config.agents if agent.owner]
    return SightedFacts(
        persons=tuple(
            dict.fromkeys(_build_person(agent, config, context) for agent in owned),
        ),
        agents=tuple(_build_agent(agent, config, context) for agent in config.agents),
        tools=tuple(
            _build_tool(agent, servers[name], config, context)
            for agent in config.agents
            for name in dict.fromkeys(rule.server for rule in agent.allow)
            if name in servers
        ),
        evidence=tuple(
            _build_owner_evidence(agent, config, context) for agent in owned
        ),
    )


def _format_agent_place(config: Config, agent: DeclaredAgent, *below: str) -> str:
    """Return the place of an agent in the configuration file."""
    return "/".join((f"{config.place}#/agents", agent.name, *below))


def _build_agent(
    agent: DeclaredAgent, config: Config, context: SightingContext
) -> Agent:
    """Build the inventory fact of an agent that the file declares."""
    place = _format_agent_place(config, agent)
    return Agent(
        id=agent.id,
        kind=DECLARED_KIND,
        name=agent.name,
        place=place,
        scope="",
        parent=None,
        # It calls through the gateway, where nobody is asked.
        unattended=True,
        known=FactStatus.DECLARED,
        runs_as=(),
        note="",
        facts=(("mode", agent.mode.value),),
        seen=context.get_provenance(place),
    )


def _build_person(
    agent: DeclaredAgent, config: Config, context: SightingContext
) -> Person:
    """Build the person who owns an agent."""
    seen = context.get_provenance(config.place)
    return Person(
        build_person_id(agent.owner), "", (), team=False, alive=True, seen=seen
    )


def _build_owner_evidence(
    agent: DeclaredAgent, config: Config, context: SightingContext
) -> OwnerEvidence:
    """Build the ownership evidence of an agent's `owner` key."""
    return OwnerEvidence(
        subject=agent.id,
        person=build_person_id(agent.owner),
        kind=OwnerEvidenceKind.OWNER_TAG,
        reference=make_printable_line(f"owner: {agent.owner}", _MAX_SHOWN),
        act="",
        standing=True,
        seen=context.get_provenance(_format_agent_place(config, agent, "owner")),
    )


def _build_tool(
    agent: DeclaredAgent,
    server: UpstreamServer,
    config: Config,
    context: SightingContext,
) -> Tool:
    """Build the tool of a server that the agent may call."""
    # Of a command its first word: later ones may hold what is nobody's business.
    target = server.url or server.command[0] if server.command or server.url else ""
    return Tool(
        id=build_mcp_tool_id(server.name),
        agent=agent.id,
        server=server.name,
        transport="http" if server.url else "stdio",
        target=make_printable_line(target, _MAX_SHOWN),
        enabled=True,
        unattended=True,
        credentials=(),
        seen=context.get_provenance(_format_agent_place(config, agent, "allow")),
    )
