"""Join of all syncs into an inventory with owners."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace

from answerable.inventory import agents as agents_of
from answerable.inventory import credentials as credentials_of
from answerable.inventory.home_clients import with_homes_clients
from answerable.inventory.lazy_ownership import TAGS, JudgedOwners, OwnerRecords
from answerable.inventory.merge import merge, ordered
from answerable.inventory.ownership_flow import Evidence, by_subject, own_evidence
from answerable.inventory.people import People
from answerable.inventory.referenced_identities import with_named
from answerable.inventory.sso_assignments import assignment_evidence
from answerable.inventory.tag_authorship import Authorship
from answerable.model.ids import AgentId, CredentialId
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.model.person import EvidenceKind, OwnerEvidence
from answerable.model.sighting import Sync


def join(
    syncs: Sequence[tuple[str, Sync]],
    *,
    now: int,
    taken_at: int = 0,
    name: str = "",
    attestations: Sequence[OwnerEvidence] = (),
) -> Inventory:
    """Join the syncs of all sources into an inventory.

    Args:
        syncs: Pairs (source, sync), in any order.
        now: Time at which the age of evidence is computed, UTC nanoseconds.
        taken_at: Time of the snapshot, UTC nanoseconds.
        name: Name of the snapshot.
        attestations: Statements of persons about owners; they take precedence over
            evidence of sources.
    """
    each = with_homes_clients(ordered(syncs))
    facts = merge(each)
    # Attestations are signed and verified; no source can supply one.
    seen = {e for e in facts.evidence if e.kind is not EvidenceKind.ATTESTATION}
    seen |= set(assignment_evidence(facts))
    said = tuple(sorted(seen | set(attestations), key=repr))
    facts = replace(facts, evidence=said)
    facts = replace(facts, agents=agents_of.without_guesses(facts.agents))
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
    """Assess ownership at another time, since evidence ages."""
    if inventory.judged_at == now:
        return inventory
    owners, own = inventory.owners, inventory.own_owners
    if isinstance(owners, JudgedOwners) and isinstance(own, JudgedOwners):
        return replace(
            inventory, owners=owners.at(now), own_owners=own.at(now), judged_at=now
        )
    return _judge(inventory, now)


def _judge(inventory: Inventory, now: int) -> Inventory:
    """Collect the evidence about every subject, and prepare its owners."""
    facts = inventory.facts
    tags = _TagWriters(inventory)
    evidence = by_subject(facts, inventory.agents, inventory.credentials, tags.counts)
    people = People(
        facts.persons, (item for found in evidence.values() for item in found)
    )
    subjects: set[str] = {identity.id for identity in facts.identities}
    subjects |= set(inventory.agents) | set(inventory.credentials) | set(evidence)
    own = own_evidence(evidence)
    return replace(
        inventory,
        persons=people.by_id,
        owners=JudgedOwners(tags.of_each(sorted(subjects), evidence), people, now),
        own_owners=JudgedOwners(tags.of_each(sorted(own), own), people, now),
        judged_at=now,
    )


class _TagWriters:
    """Check whether a subject, or an identity it acts through, may set its own tags."""

    def __init__(self, inventory: Inventory) -> None:
        facts = inventory.facts
        self._authorship = Authorship(facts.policies, facts.attachments)
        self._agents = inventory.agents
        self._credentials = inventory.credentials

    def counts(self, identity: str, item: OwnerEvidence) -> bool:
        """Tell whether an identity could not have written evidence about itself."""
        own = item.kind in TAGS and self._authorship.may_tag(identity, identity)
        return item.seen.written_by.believed and not own

    def of_each(
        self, subjects: Iterable[str], evidence: Evidence
    ) -> Mapping[str, OwnerRecords]:
        """Join the evidence about each subject with whether it may set its own tags."""
        found: dict[str, OwnerRecords] = {}
        for subject in subjects:
            items = tuple(evidence.get(subject, ()))
            tagged = any(item.kind in TAGS for item in items)
            found[subject] = OwnerRecords(items, tagged and self._writes_tags(subject))
        return found

    def _writes_tags(self, subject: str) -> bool:
        agent = self._agents.get(AgentId(subject))
        credential = self._credentials.get(CredentialId(subject))
        writers: tuple[str, ...] = (subject,)
        tagged: tuple[str, ...] = (subject,)
        if agent is not None:
            writers, tagged = agent.identities, tuple(agent.agent.runs_as)
        elif credential is not None and credential.identity is not None:
            tagged = writers = (credential.identity,)
        return any(
            self._authorship.may_tag(writer, target)
            for writer in writers
            for target in tagged
        )


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
