"""Parser of agents that Amazon Bedrock and AgentCore list.

Sources: Amazon Bedrock API Reference, "GetAgent" and "ListAgentCollaborators"; Amazon
Bedrock AgentCore Control Plane API Reference, "GetAgentRuntime" and "GetGateway".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from answerable.connectors.aws_resources.parse.answer_fields import (
    AGENTS,
    COLLABORATORS,
    GATEWAYS,
    RUNTIMES,
    Asked,
)
from answerable.connectors.aws_resources.parse.api_records import NOTHING
from answerable.connectors.aws_resources.parse.execution_roles import role_of
from answerable.connectors.aws_resources.parse.resource_lists import Estate
from answerable.connectors.formats.aws_api_answers import Fields
from answerable.model.agent import Agent, Known
from answerable.model.ids import AgentId, Arn, IdentityId, agent_id
from answerable.model.provenance import Seen, WrittenBy


class BedrockAgent(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-agent."""

    agent_arn: str
    agent_name: str = ""
    agent_resource_role_arn: str = ""
    foundation_model: str = ""


class _Answer(msgspec.Struct, frozen=True):
    agent: BedrockAgent


class Descriptor(msgspec.Struct, rename="camel", frozen=True):
    """Descriptor of a collaborator: the called alias."""

    alias_arn: str = ""


class Collaborator(msgspec.Struct, rename="camel", frozen=True):
    """Record of list-agent-collaborators."""

    agent_descriptor: Descriptor = Descriptor()


class _Collaborators(msgspec.Struct, rename="camel", frozen=True):
    agent_collaborator_summaries: list[Collaborator] = []


class Runtime(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-agent-runtime."""

    agent_runtime_arn: str
    agent_runtime_name: str = ""
    role_arn: str = ""


class Gateway(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-gateway."""

    gateway_arn: str
    role_arn: str = ""


@dataclass(slots=True)
class AgentReader:
    """Reader of Bedrock and AgentCore agents.

    Attributes:
        estate: Resources under construction.
        source: Source of the sync.
        now: UTC nanoseconds.
        agents: Agents by the platform's own id.
        parents: Supervisor by collaborator, by the platform's own ids.
    """

    estate: Estate
    source: str
    now: int
    agents: dict[str, Agent] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)

    def read(self, fields: Fields, base: str) -> None:
        """Read every agent, runtime and gateway of one answer."""
        reading = self.estate.reading
        for asked in reading.asked(fields, AGENTS, base):
            answer = reading.decode(asked.raw or NOTHING, _Answer, asked.place)
            if answer is not None:
                self._bedrock(answer.agent, asked)
        for asked in reading.asked(fields, COLLABORATORS, base):
            listed = reading.decode(asked.raw or NOTHING, _Collaborators, asked.place)
            if listed is not None:
                self._collaborators(listed, asked)
        for asked in reading.asked(fields, RUNTIMES, base):
            runtime = reading.decode(asked.raw or NOTHING, Runtime, asked.place)
            if runtime is not None:
                named = (runtime.agent_runtime_arn, runtime.role_arn)
                name = runtime.agent_runtime_name
                self._agent("agentcore", named, name, (), asked)
        for asked in reading.asked(fields, GATEWAYS, base):
            gateway = reading.decode(asked.raw or NOTHING, Gateway, asked.place)
            if gateway is not None:
                self._running(gateway.gateway_arn, gateway.role_arn, asked)

    def all_agents(self) -> Iterator[Agent]:
        """Yield the agents, each collaborator with its supervisor as parent."""
        for key, agent in self.agents.items():
            parent = self.agents.get(self.parents.get(key, ""))
            yield replace(agent, parent=parent.id) if parent else agent

    def _bedrock(self, found: BedrockAgent, asked: Asked) -> None:
        model = (("model", found.foundation_model),) if found.foundation_model else ()
        named = (found.agent_arn, found.agent_resource_role_arn)
        self._agent("bedrock", named, found.agent_name, model, asked)

    def _collaborators(self, listed: _Collaborators, asked: Asked) -> None:
        for each in listed.agent_collaborator_summaries:
            # arn:aws:bedrock:REGION:ACCOUNT:agent-alias/AGENT/ALIAS
            pieces = each.agent_descriptor.alias_arn.rpartition(":")[2].split("/")
            if len(pieces) == 3 and pieces[1] != asked.asked:
                self.parents.setdefault(pieces[1], asked.asked)

    def _agent(
        self,
        kind: str,
        named: tuple[str, str],
        name: str,
        facts: tuple[tuple[str, str], ...],
        asked: Asked,
    ) -> None:
        arn = self._running(*named, asked)
        if arn is None:
            return
        key = arn.resource.rpartition("/")[2]
        role = role_of(named[1])
        self.agents[key] = Agent(
            id=_id(kind, arn, key),
            kind=kind,
            name=name or key,
            place=str(arn),
            scope="",
            parent=None,
            unattended=True,
            known=Known.DECLARED,
            runs_as=(IdentityId(role),) if role else (),
            note="",
            facts=facts,
            seen=Seen(self.source, asked.place, WrittenBy.PLATFORM, self.now),
        )

    def _running(self, text: str, role: str, asked: Asked) -> Arn | None:
        """Add a resource with its role; None for an invalid ARN."""
        item = self.estate.named(text, asked.place)
        if item is None:
            return None
        item.runs_as = role_of(role) or item.runs_as
        return item.arn


def _id(kind: str, arn: Arn, key: str) -> AgentId:
    return agent_id(kind, arn.account or "-", arn.region or "-", key)
