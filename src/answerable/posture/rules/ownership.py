"""Rules on owners of agents."""

from collections.abc import Iterator

from answerable.model.person import OwnerState
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import Finding, Fix, RuleResult, build_evidence
from answerable.posture.severity import Held, ReachLevel, SeverityFacts, Trigger


def find_unowned_agents(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents without any owner."""
    for key, entity in facts.inventory.agents.items():
        owner = facts.inventory.owners.get(key)
        if owner is not None and owner.state is not OwnerState.NONE:
            continue
        yield Finding(
            rule="unowned-agent",
            subject=key,
            platform=entity.agent.seen.source.partition(":")[0],
            title=f"no one owns the agent {entity.agent.name}",
            severity=SeverityFacts(
                Trigger.INSIDER, ReachLevel.NOT_KNOWN, frozenset({Held.UNBOUNDED})
            ),
            evidence=(build_evidence("no evidence names an owner", entity.agent.seen),),
            fix=Fix(
                "Record the person who answers for it.",
                command=f"answerable attest {key} --owner PERSON",
            ),
        )
