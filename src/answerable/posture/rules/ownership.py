"""Rules on owners of agents and of the identities that agents act as."""

from collections.abc import Iterator, Mapping

from answerable.model.ids import AgentId, PersonId
from answerable.model.inventory import AgentEntity
from answerable.model.person import OwnerState, SubjectOwnership
from answerable.model.provenance import WrittenBy
from answerable.posture.agent_reach import get_agent_reach
from answerable.posture.facts import PostureFacts
from answerable.posture.rule import (
    Evidence,
    Finding,
    Fix,
    RuleResult,
    build_evidence,
    get_platform_of_source,
)
from answerable.posture.severity import (
    ExposureFactor,
    ReachLevel,
    SeverityFacts,
    Trigger,
)

_ATTEST = "answerable attest {} --owner PERSON"
_UNCERTAIN: Mapping[OwnerState, str] = {
    OwnerState.SUGGESTED: "one person is suggested as owner, with weak evidence",
    OwnerState.AMBIGUOUS: "several persons are equally likely owners",
    OwnerState.TEAM_ONLY: "only a team is named as owner",
}


def find_unowned_agents(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents without any owner."""
    for key, entity in facts.inventory.agents.items():
        owner = facts.inventory.owners.get(key)
        if owner is None or (owner.state is OwnerState.NONE and not owner.candidates):
            yield _build_ownership_finding(
                facts,
                "unowned-agent",
                entity,
                f"the agent {entity.agent.name} has no owner",
                "no evidence names an owner",
            )


def find_uncertain_owners(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents whose owner is suggested, ambiguous or a team alone."""
    for key, entity in facts.inventory.agents.items():
        owner = facts.inventory.owners.get(key)
        if owner is None or owner.state not in _UNCERTAIN:
            continue
        text = _UNCERTAIN[owner.state]
        yield _build_ownership_finding(
            facts,
            "uncertain-owner",
            entity,
            f"the owner of the agent {entity.agent.name} is {owner.state.value}",
            text,
            Trigger.LATER,
        )


def find_self_attested_owners(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents whose owner only self-reported evidence names."""
    for key, entity in facts.inventory.agents.items():
        owner = facts.inventory.owners.get(key)
        if owner is None or not owner.candidates or not _is_self_reported(owner):
            continue
        yield _build_ownership_finding(
            facts,
            "self-attested-owner",
            entity,
            f"the owner of the agent {entity.agent.name} is named only by text that "
            f"the agent could have written",
            "every piece of ownership evidence is self-reported",
            Trigger.LATER,
            covers=(("uncertain-owner", key),),
        )


def find_owners_who_left(facts: PostureFacts) -> Iterator[RuleResult]:
    """Find agents, identities and credentials whose owner has left."""
    for key, owner in facts.inventory.owners.items():
        if owner.state is not OwnerState.OWNER_LEFT:
            continue
        entity = facts.inventory.agents.get(AgentId(key))
        level = (
            get_agent_reach(facts, entity) if entity else facts.reach.get_reach(key)
        ).level
        found = next((e for c in owner.candidates for e, _ in c.evidence), None)
        yield Finding(
            rule="owner-left",
            subject=key,
            platform=get_platform_of_source(found.seen.source if found else ""),
            title="its owner has left",
            severity=SeverityFacts(
                Trigger.INSIDER, level, frozenset({ExposureFactor.STANDING})
            ),
            evidence=(
                build_evidence(
                    f"the evidence {found.kind.value} names them", found.seen
                ),
            )
            if found
            else (),
            fix=_build_successor_fix(facts, key, owner),
            identity=key,
        )


def _build_successor_fix(
    facts: PostureFacts, subject: str, owner: SubjectOwnership
) -> Fix:
    """Build the repair of a leaver's subject: the manager who is still there answers."""
    persons = facts.inventory.persons
    for candidate in owner.candidates:
        left = persons.get(candidate.person)
        for key in (left.manager, *left.sponsors) if left else ():
            successor = persons.get(PersonId(key))
            if successor and successor.alive and not successor.team:
                return Fix(
                    f"Ask {key}, who is responsible for {candidate.person} according "
                    f"to a directory, to become the owner, or remove the subject.",
                    f"answerable attest {subject} --owner {key}",
                )
    return Fix(
        "Record the manager or the deputy as owner, or remove it.",
        _ATTEST.format(subject),
    )


def _is_self_reported(owner: SubjectOwnership) -> bool:
    """Return whether all evidence of all candidates is self-reported."""
    found = [each for one in owner.candidates for each, _ in one.evidence]
    return bool(found) and all(
        each.seen.written_by is WrittenBy.SELF_REPORTED
        and each.act == ""
        and not each.key
        for each in found
    )


def _build_ownership_finding(
    facts: PostureFacts,
    rule: str,
    entity: AgentEntity,
    title: str,
    text: str,
    trigger: Trigger = Trigger.INSIDER,
    *,
    covers: tuple[tuple[str, str], ...] = (),
) -> Finding:
    """Build the finding of an agent's owner."""
    reach = get_agent_reach(facts, entity)
    level = reach.level
    if rule == "unowned-agent" and level is not ReachLevel.ADMINISTRATOR:
        level = ReachLevel.NOT_KNOWN  # no one vouches for what it needs
    seen = entity.agent.seen
    return Finding(
        rule=rule,
        subject=entity.agent.id,
        platform=get_platform_of_source(seen.source),
        title=title,
        severity=SeverityFacts(trigger, level, frozenset({ExposureFactor.UNBOUNDED})),
        evidence=(
            build_evidence(text, seen, entity.agent.place),
            Evidence(reach.text, entity.agent.place, seen.source, seen.written_by),
        ),
        fix=Fix("Record the owner of the agent.", _ATTEST.format(entity.agent.id)),
        covers=covers,
    )
