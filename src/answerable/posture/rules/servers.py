"""Rules on servers and packages that agents start without a pinned version."""

from collections.abc import Iterator

from answerable.model.agent import NO_ACTIONS, UNPINNED_PACKAGES
from answerable.model.inventory import AgentEntity, ToolUse
from answerable.model.package_command import find_unpinned_package
from answerable.model.tool import CONTAINER
from answerable.posture.agent_reach import WORKFLOW, get_agent_reach
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import (
    Finding,
    Fix,
    NotEvaluated,
    RuleResult,
    build_evidence,
    get_platform_of_source,
)
from answerable.posture.severity import ExposureFactor, SeverityFacts, Trigger

_SHOWN = 5  # packages that a title names


def find_unpinned_servers(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find servers whose package or image has no fixed version."""
    for key, entity in facts.inventory.agents.items():
        for use in entity.tools:
            loose = find_unpinned_package(use.tool.target, use.tool.transport)
            if loose:
                yield _build_finding(facts, key, entity, use, loose)
        yield from _find_step_packages(facts, entity)


def _find_step_packages(
    facts: PostureFacts, entity: AgentEntity
) -> Iterator[RuleResult]:
    """Find a workflow agent whose job starts packages without a fixed version."""
    agent = entity.agent
    stated = dict(agent.facts).get(UNPINNED_PACKAGES)
    if agent.kind != WORKFLOW or stated == NO_ACTIONS:
        return
    if stated is None:
        yield NotEvaluated(
            "unpinned-server",
            agent.id,
            "repo",
            "packages that its job starts, which an older scan did not read",
            "repo:DIR",
        )
        return
    packages = stated.split(", ")
    more = f" and {len(packages) - _SHOWN} more" if len(packages) > _SHOWN else ""
    shown = ", ".join(packages[:_SHOWN]) + more
    reach = get_agent_reach(facts, entity)
    yield Finding(
        rule="unpinned-server",
        subject=agent.id,
        platform=get_platform_of_source(agent.seen.source),
        title=f"the job {agent.name} starts packages without a fixed version: {shown}",
        severity=SeverityFacts(
            Trigger.LATER, reach.level, frozenset({ExposureFactor.UNBOUNDED})
        ),
        evidence=(
            build_evidence(f"the job starts {shown}", agent.seen, agent.place),
            build_evidence(reach.text, agent.seen, agent.place),
        ),
        fix=Fix(
            f"Pin the reviewed version: {packages[0].removesuffix('@latest')}@VERSION"
        ),
        causes=tuple(f"package {each}" for each in packages),
    )


def _build_finding(
    facts: PostureFacts, key: str, entity: AgentEntity, use: ToolUse, loose: str
) -> Finding:
    """Build the finding of one server."""
    reach = get_agent_reach(facts, entity)
    return Finding(
        rule="unpinned-server",
        subject=use.tool.id,
        platform=get_platform_of_source(use.tool.seen.source),
        title=f"the server {use.tool.server} has no fixed version: {loose}",
        severity=SeverityFacts(
            Trigger.LATER, reach.level, frozenset({ExposureFactor.UNBOUNDED})
        ),
        evidence=(
            build_evidence(f"{entity.agent.name} starts {loose}", use.tool.seen),
            build_evidence(reach.text, entity.agent.seen, entity.agent.place),
        ),
        fix=Fix(
            f"Pin the reviewed version: {loose.removesuffix('@latest')}@VERSION"
            if use.tool.transport != CONTAINER
            else "Pin the image by its digest: IMAGE@sha256:..."
        ),
        at=key,
        causes=(f"package {loose}",),
    )
