"""Parse the AI agents, runtimes and gateways of Amazon Bedrock and AgentCore.

Sources: Amazon Bedrock API Reference, "GetAgent" and "ListAgentCollaborators"; Amazon
Bedrock AgentCore Control Plane API Reference, "GetAgentRuntime" and "GetGateway".
"""

from collections.abc import Iterator
from dataclasses import dataclass, field, replace

import msgspec

from answerable.connectors.aws_resources.parse.api_records import NOTHING
from answerable.connectors.aws_resources.parse.execution_roles import parse_role_arn
from answerable.connectors.aws_resources.parse.resource_lists import ResourceInventory
from answerable.connectors.aws_resources.parse.response_fields import (
    AGENTS,
    COLLABORATORS,
    GATEWAYS,
    RUNTIMES,
    FieldAnswer,
)
from answerable.connectors.formats.aws_api_responses import AnswerFields
from answerable.model.agent import Agent, FactStatus
from answerable.model.ids import AgentId, Arn, IdentityId, build_agent_id
from answerable.model.provenance import FactProvenance, WrittenBy


class BedrockAgent(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-agent."""

    agent_arn: str
    agent_name: str = ""
    agent_resource_role_arn: str = ""
    foundation_model: str = ""


class _AgentAnswer(msgspec.Struct, frozen=True):
    agent: BedrockAgent


class AliasDescriptor(msgspec.Struct, rename="camel", frozen=True):
    """Descriptor of a collaborator: the called alias."""

    alias_arn: str = ""


class AgentCollaborator(msgspec.Struct, rename="camel", frozen=True):
    """Record of list-agent-collaborators."""

    agent_descriptor: AliasDescriptor = AliasDescriptor()


class _CollaboratorList(msgspec.Struct, rename="camel", frozen=True):
    agent_collaborator_summaries: list[AgentCollaborator] = []


class AgentCoreRuntime(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-agent-runtime."""

    agent_runtime_arn: str
    agent_runtime_name: str = ""
    role_arn: str = ""


class AgentCoreGateway(msgspec.Struct, rename="camel", frozen=True):
    """Record of get-gateway."""

    gateway_arn: str
    role_arn: str = ""


@dataclass(slots=True)
class BedrockAgentReader:
    """Reader of Bedrock and AgentCore agents.

    Attributes:
        inventory: Resources under construction.
        source: Source of the sync.
        now: UTC nanoseconds.
        agents: Agents by the platform's own id.
        parents: Supervisor by collaborator, by the platform's own ids.
    """

    inventory: ResourceInventory
    source: str
    now: int
    agents: dict[str, Agent] = field(default_factory=dict)
    parents: dict[str, str] = field(default_factory=dict)

    def read_agents_of_answer(self, fields: AnswerFields, parent_place: str) -> None:
        """Read every agent, runtime and gateway of one answer."""
        reader = self.inventory.reader
        for entry in reader.iter_answers(fields, AGENTS, parent_place):
            answer = reader.decode(entry.raw or NOTHING, _AgentAnswer, entry.place)
            if answer is not None:
                self._add_bedrock_agent(answer.agent, entry)
        for entry in reader.iter_answers(fields, COLLABORATORS, parent_place):
            listed = reader.decode(entry.raw or NOTHING, _CollaboratorList, entry.place)
            if listed is not None:
                self._add_collaborators(listed, entry)
        for entry in reader.iter_answers(fields, RUNTIMES, parent_place):
            runtime = reader.decode(entry.raw or NOTHING, AgentCoreRuntime, entry.place)
            if runtime is not None:
                named = (runtime.agent_runtime_arn, runtime.role_arn)
                name = runtime.agent_runtime_name
                self._add_agent("agentcore", named, name, (), entry)
        for entry in reader.iter_answers(fields, GATEWAYS, parent_place):
            gateway = reader.decode(entry.raw or NOTHING, AgentCoreGateway, entry.place)
            if gateway is not None:
                self._add_running_resource(gateway.gateway_arn, gateway.role_arn, entry)

    def list_agents(self) -> Iterator[Agent]:
        """Yield the agents, each collaborator with its supervisor as parent."""
        for key, agent in self.agents.items():
            parent = self.agents.get(self.parents.get(key, ""))
            yield replace(agent, parent=parent.id) if parent else agent

    def _add_bedrock_agent(self, agent: BedrockAgent, entry: FieldAnswer) -> None:
        """Add a described Bedrock agent with its role and model."""
        model = (("model", agent.foundation_model),) if agent.foundation_model else ()
        named = (agent.agent_arn, agent.agent_resource_role_arn)
        self._add_agent("bedrock", named, agent.agent_name, model, entry)

    def _add_collaborators(
        self, collaborators: _CollaboratorList, entry: FieldAnswer
    ) -> None:
        """Record the supervisor of each collaborator agent."""
        for each in collaborators.agent_collaborator_summaries:
            # arn:aws:bedrock:REGION:ACCOUNT:agent-alias/AGENT/ALIAS
            pieces = each.agent_descriptor.alias_arn.rpartition(":")[2].split("/")
            if len(pieces) == 3 and pieces[1] != entry.queried_id:
                self.parents.setdefault(pieces[1], entry.queried_id)

    def _add_agent(
        self,
        kind: str,
        arn_and_role: tuple[str, str],
        name: str,
        facts: tuple[tuple[str, str], ...],
        entry: FieldAnswer,
    ) -> None:
        """Add an agent, with its ARN as a running resource."""
        arn = self._add_running_resource(*arn_and_role, entry)
        if arn is None:
            return
        key = arn.resource.rpartition("/")[2]
        role = parse_role_arn(arn_and_role[1])
        self.agents[key] = Agent(
            id=_build_agent_id(kind, arn, key),
            kind=kind,
            name=name or key,
            place=str(arn),
            scope="",
            parent=None,
            unattended=True,
            known=FactStatus.DECLARED,
            runs_as=(IdentityId(role),) if role else (),
            note="",
            facts=facts,
            seen=FactProvenance(self.source, entry.place, WrittenBy.PLATFORM, self.now),
        )

    def _add_running_resource(
        self, text: str, role: str, entry: FieldAnswer
    ) -> Arn | None:
        """Add a resource with its role; None for an invalid ARN."""
        item = self.inventory.get_or_add_arn(text, entry.place)
        if item is None:
            return None
        item.runs_as = parse_role_arn(role) or item.runs_as
        return item.arn


def _build_agent_id(kind: str, arn: Arn, key: str) -> AgentId:
    """Build the id of an agent from its ARN."""
    return build_agent_id(kind, arn.account or "-", arn.region or "-", key)
