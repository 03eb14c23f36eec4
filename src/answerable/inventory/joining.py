"""Syncs in, inventory out."""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from answerable.inventory import agents as agents_of
from answerable.inventory import credentials as credentials_of
from answerable.inventory.authorship import Authorship
from answerable.inventory.derive import by_subject, own_evidence
from answerable.inventory.merge import merge, ordered
from answerable.inventory.named import with_named
from answerable.inventory.owners import Discredit, assign
from answerable.inventory.people import People
from answerable.model.ids import AgentId
from answerable.model.inventory import AgentEntity, Inventory, SourceCoverage
from answerable.model.person import EvidenceKind, OwnerEvidence, Ownership
from answerable.model.sighting import Facts, Sync

_TAGS = (EvidenceKind.OWNER_TAG, EvidenceKind.TEAM_TAG)


def join(
    syncs: Sequence[tuple[str, Sync]],
    *,
    now: int,
    taken_at: int = 0,
    name: str = "",
    attestations: Sequence[OwnerEvidence] = (),
) -> Inventory:
    """Join what every source saw into who and what exists.

    Args:
        syncs: Pairs (source, its sync), in any order.
        now: The moment at which evidence has its age, UTC nanoseconds.
        taken_at: When the snapshot was taken, UTC nanoseconds.
        name: Its name.
        attestations: What persons said about owners; kept beside, and above, what
            the sources saw.
    """
    each = ordered(syncs)
    facts = merge(each)
    # Attested is what was signed and verified; no source can bring that.
    seen = {e for e in facts.evidence if e.kind is not EvidenceKind.ATTESTATION}
    said = tuple(sorted(seen | set(attestations), key=repr))
    facts = replace(facts, evidence=said)
    credentials = credentials_of.entities(facts.credentials, facts.links)
    agents = agents_of.entities(facts, credentials)
    facts = replace(facts, identities=with_named(facts, agents, credentials))
    inventory = Inventory(
        at=taken_at,
        name=name,
        facts=facts,
        persons={},
        agents=agents,
        credentials=credentials,
        owners={},
        coverage=tuple(_coverage(sync) for sync in sorted(each, key=_source)),
    )
    return aged(inventory, now)


def aged(inventory: Inventory, now: int) -> Inventory:
    """Judge ownership again at another moment: evidence ages, facts stay."""
    if inventory.judged_at == now:
        return inventory
    facts = inventory.facts
    judge = _Judge(facts, inventory.agents)
    evidence = by_subject(facts, inventory.agents, inventory.credentials, judge.counts)
    people = People(
        facts.persons, (item for found in evidence.values() for item in found)
    )
    subjects: set[str] = {identity.id for identity in facts.identities}
    subjects |= set(inventory.agents) | set(inventory.credentials) | set(evidence)

    def judged(subject: str, found: Mapping[str, Sequence[OwnerEvidence]]) -> Ownership:
        return assign(
            subject,
            found.get(subject, ()),
            people=people,
            now=now,
            discredited=judge.of(subject, inventory),
        )

    own = own_evidence(evidence)
    return replace(
        inventory,
        persons=people.by_id,
        owners={subject: judged(subject, evidence) for subject in sorted(subjects)},
        own_owners={subject: judged(subject, own) for subject in own},
        judged_at=now,
    )


class _Judge:
    """Knows which evidence a subject could have written itself."""

    def __init__(self, facts: Facts, agents: Mapping[AgentId, AgentEntity]) -> None:
        self._authorship = Authorship(facts.policies, facts.attachments)
        self._tagged: Mapping[str, tuple[str, ...]] = {
            agent: tuple(entity.agent.runs_as) for agent, entity in agents.items()
        }

    def counts(self, identity: str, item: OwnerEvidence) -> bool:
        """Tell whether evidence about an identity is of another hand than its own."""
        own = item.kind in _TAGS and self._authorship.may_tag(identity, identity)
        return item.seen.written_by.believed and not own

    def of(self, subject: str, inventory: Inventory) -> Discredit:
        """Return the test for one subject's evidence.

        Self-reported evidence never counts, save a recorded confirmation, whose state
        says what it is worth. A tag does not count where the tagged
        identity, or an identity that the agent acts through, may set it.
        """
        agent = inventory.agents.get(AgentId(subject))
        credential = inventory.credentials.get(subject)  # type: ignore[call-overload]  # any id may be asked for
        tagged: tuple[str, ...] = self._tagged.get(subject, (subject,))
        writers: tuple[str, ...] = (subject,)
        if agent is not None:
            writers = agent.identities
        elif credential is not None and credential.identity is not None:
            tagged = writers = (credential.identity,)

        def discredited(item: OwnerEvidence) -> bool:
            if item.kind is EvidenceKind.CONFIRMATION:
                return False
            if not item.seen.written_by.believed:
                return True
            return item.kind in _TAGS and any(
                self._authorship.may_tag(writer, target)
                for writer in writers
                for target in tagged
            )

        return discredited


def _source(sync: Sync) -> str:
    return sync.source


def _coverage(sync: Sync) -> SourceCoverage:
    return SourceCoverage(
        source=sync.source,
        connector=sync.connector,
        at=sync.started_at,
        problems=sync.problems,
        collected=sync.collected,
        not_collected=sync.not_collected,
        held=sync.held,
    )
