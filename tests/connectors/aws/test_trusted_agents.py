"""Which agents a trust policy gives away, and what it leaves open."""

from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.model.agent import Agent, FactStatus
from answerable.model.sighting import Sync

ROLE = "arn:aws:iam::123456789012:role/"


@pytest.fixture
def agents(account: Sync) -> dict[str, Agent]:
    return {agent.name: agent for agent in account.facts.agents}


def test_a_role_that_trusts_bedrock_is_an_inferred_agent_and_says_what_else_it_can_be(
    agents: dict[str, Agent],
) -> None:
    agent = agents["support"]
    assert (agent.id, agent.kind) == ("agent:bedrock/123456789012/support", "bedrock")
    assert agent.known is FactStatus.INFERRED
    assert "knowledge base" in agent.note
    assert agent.runs_as == (f"{ROLE}support",)


def test_a_role_that_trusts_agentcore_is_an_inferred_agent(
    agents: dict[str, Agent],
) -> None:
    agent = agents["runner"]
    assert (agent.kind, agent.known) == ("agentcore", FactStatus.INFERRED)
    assert "gateway" in agent.note


def test_a_trust_policy_that_names_one_agent_declares_it(
    agents: dict[str, Agent],
) -> None:
    agent = agents["booker"]
    arn = "arn:aws:bedrock:eu-west-1:123456789012:agent/BOOKER0001"
    assert agent.known is FactStatus.DECLARED
    assert agent.place == arn
    assert agent.facts == (("source-arn", arn),)


def test_a_trust_policy_for_any_agent_stays_inferred(agents: dict[str, Agent]) -> None:
    agent = agents["any-agent"]
    assert agent.known is FactStatus.INFERRED
    assert "knowledge base" not in agent.note


def test_a_role_kept_for_a_knowledge_base_is_no_agent(agents: dict[str, Agent]) -> None:
    assert "library" not in agents


def test_a_platform_that_is_denied_gives_no_agent_away(
    data: Path, read: Callable[[bytes], Sync]
) -> None:
    text = (data / "account.json").read_text()
    denied = read(text.replace('"Effect": "Allow"', '"Effect": "Deny"').encode())
    assert denied.facts.agents == ()


def test_roles_of_other_services_are_no_agents(agents: dict[str, Agent]) -> None:
    assert set(agents) == {"support", "booker", "any-agent", "runner"}
