"""Infer AI agents from the AI services that a role's trust policy names.

A role that trusts Amazon Bedrock can belong to an agent, but also to a knowledge base
or another job; only an `aws:SourceArn` condition tells which. The agent's note states
any uncertainty.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.model.agent import Agent, FactStatus
from answerable.model.errors import IdError
from answerable.model.identity import Identity
from answerable.model.ids import Arn, build_agent_id
from answerable.model.policy import Policy, PolicyEffect, Statement

_PLATFORM_SERVICES = {
    "bedrock.amazonaws.com": "bedrock",
    "bedrock-agentcore.amazonaws.com": "agentcore",
}
# Types of ARN that stand for something which acts on its own.
_AGENT_RESOURCE_TYPES = {
    "bedrock": ("agent", "agent-alias", "flow"),
    "agentcore": ("runtime", "harness"),
}
_NOTE_OF_PLATFORM = {
    "bedrock": (
        "inferred from a role that trusts Amazon Bedrock; it can also be the role of a "
        "knowledge base, a flow or another Bedrock job"
    ),
    "agentcore": (
        "inferred from a role that trusts Amazon Bedrock AgentCore; it can also be the "
        "role of a gateway, a memory, a browser or a code interpreter"
    ),
}
_NARROWED_NOTE = (
    "inferred from a role whose trust policy is limited to agents of this kind"
)
_EXACT_NOTE = "the role's trust policy names this agent; the agent itself was not read"
_MATCH_OPERATORS = ("arnequals", "arnlike", "stringequals", "stringlike")


@dataclass(frozen=True, slots=True)
class _SourceArn:
    """Parsed `aws:SourceArn` value: its resource type, and whether it is exact."""

    arn: str
    kind: str  # empty where a wildcard hides it
    exact: bool


def find_trusted_agents(role: Identity, trust: Policy) -> Iterator[Agent]:
    """Infer a role's AI agents from its trust policy, at most one per platform."""
    for service, platform in _PLATFORM_SERVICES.items():
        statements = [s for s in trust.statements if _trusts_service(s, service)]
        if not statements:
            continue
        sources = [_list_source_arns(statement) for statement in statements]
        # One statement without the condition lets everything of the platform in.
        named = [] if not all(sources) else [s for some in sources for s in some]
        acting = [
            s for s in named if not s.kind or s.kind in _AGENT_RESOURCE_TYPES[platform]
        ]
        if named and not acting:
            continue
        yield _build_platform_agent(role, platform, acting)


def _build_platform_agent(
    role: Identity, platform: str, sources: list[_SourceArn]
) -> Agent:
    """Build the agent of a platform; declared if all source ARNs are exact."""
    exact = bool(sources) and all(source.exact for source in sources)
    narrowed = bool(sources) and all(source.kind for source in sources)
    note = (
        _EXACT_NOTE
        if exact
        else _NARROWED_NOTE
        if narrowed
        else _NOTE_OF_PLATFORM[platform]
    )
    facts = tuple(("source-arn", source.arn) for source in sources[:10])
    return Agent(
        id=build_agent_id(platform, role.account, role.name),
        kind=platform,
        name=role.name,
        place=sources[0].arn if exact and len(sources) == 1 else role.id,
        scope="",
        parent=None,
        unattended=True,
        known=FactStatus.DECLARED if exact else FactStatus.INFERRED,
        runs_as=(role.id,),
        note=note,
        facts=tuple(sorted(set(facts))),
        seen=role.seen,
    )


def _trusts_service(statement: Statement, service: str) -> bool:
    """Return whether a statement lets a service assume the role."""
    principals = {
        value.lower() for kind, value in statement.principals if kind == "Service"
    }
    return statement.effect is PolicyEffect.ALLOW and service in principals


def _list_source_arns(statement: Statement) -> list[_SourceArn]:
    """List the values of the `aws:SourceArn` conditions of a statement."""
    return [
        _parse_source_arn(value)
        for clause in statement.conditions
        if clause.key.lower() == "aws:sourcearn"
        and clause.operator.lower() in _MATCH_OPERATORS
        for value in clause.values
    ]


def _parse_source_arn(value: str) -> _SourceArn:
    """Parse a source ARN: its resource kind, and whether it has no wildcard."""
    try:
        resource = Arn.parse(value).resource
    except IdError:
        return _SourceArn(value, "", False)
    kind = resource.split("/")[0]
    wild = any(letter in value for letter in "*?$")
    return _SourceArn(value, "" if any(c in kind for c in "*?$") else kind, not wild)
