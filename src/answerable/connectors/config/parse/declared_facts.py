"""Sightings of a configuration: declared agents, owners and allowed tools."""

from answerable.connectors.config.parse.agents import DECLARED
from answerable.connectors.formats.redaction import clean
from answerable.connectors.formats.sighting_context import Frame
from answerable.model.agent import Agent, Known
from answerable.model.config import Config, DeclaredAgent, Server
from answerable.model.ids import person_id, tool_id
from answerable.model.person import EvidenceKind, OwnerEvidence, Person
from answerable.model.sighting import Facts
from answerable.model.tool import Tool

_SHOWN = 200


def sight_config(config: Config, frame: Frame) -> Facts:
    """Build the sightings of a configuration."""
    servers = {server.name: server for server in config.servers}
    owned = [agent for agent in config.agents if agent.owner]
    return Facts(
        persons=tuple(
            dict.fromkeys(_person(agent, config, frame) for agent in owned),
        ),
        agents=tuple(_agent(agent, config, frame) for agent in config.agents),
        tools=tuple(
            _tool(agent, servers[name], config, frame)
            for agent in config.agents
            for name in dict.fromkeys(rule.server for rule in agent.allow)
            if name in servers
        ),
        evidence=tuple(_evidence(agent, config, frame) for agent in owned),
    )


def _place(config: Config, agent: DeclaredAgent, *below: str) -> str:
    return "/".join((f"{config.place}#/agents", agent.name, *below))


def _agent(agent: DeclaredAgent, config: Config, frame: Frame) -> Agent:
    place = _place(config, agent)
    return Agent(
        id=agent.id,
        kind=DECLARED,
        name=agent.name,
        place=place,
        scope="",
        parent=None,
        # It calls through the gateway, where nobody is asked.
        unattended=True,
        known=Known.DECLARED,
        runs_as=(),
        note="",
        facts=(("mode", agent.mode.value),),
        seen=frame.seen(place),
    )


def _person(agent: DeclaredAgent, config: Config, frame: Frame) -> Person:
    seen = frame.seen(config.place)
    return Person(person_id(agent.owner), "", (), team=False, alive=True, seen=seen)


def _evidence(agent: DeclaredAgent, config: Config, frame: Frame) -> OwnerEvidence:
    return OwnerEvidence(
        subject=agent.id,
        person=person_id(agent.owner),
        kind=EvidenceKind.OWNER_TAG,
        reference=clean(f"owner: {agent.owner}", _SHOWN),
        act="",
        standing=True,
        seen=frame.seen(_place(config, agent, "owner")),
    )


def _tool(agent: DeclaredAgent, server: Server, config: Config, frame: Frame) -> Tool:
    # Of a command its first word: later ones may hold what is nobody's business.
    target = server.url or server.command[0] if server.command or server.url else ""
    return Tool(
        id=tool_id(server.name),
        agent=agent.id,
        server=server.name,
        transport="http" if server.url else "stdio",
        target=clean(target, _SHOWN),
        enabled=True,
        unattended=True,
        credentials=(),
        seen=frame.seen(_place(config, agent, "allow")),
    )
