"""Join all syncs into one inventory, with owners."""

from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain

from answerable.inventory import agents as agents_of
from answerable.inventory import credentials as credentials_of
from answerable.inventory.home_agent_merge import (
    merge_repository_agents_into_home_agents,
)
from answerable.inventory.lazy_ownership import (
    TAG_EVIDENCE_KINDS,
    LazyOwnership,
    SubjectEvidence,
)
from answerable.inventory.ownership_propagation import (
    EvidenceBySubject,
    collect_owner_evidence,
    list_named_persons,
    select_evidence_not_from_roles,
)
from answerable.inventory.person_directory import PersonDirectory
from answerable.inventory.referenced_identities import add_referenced_identities
from answerable.inventory.sso_owner_evidence import list_sso_assignment_evidence
from answerable.inventory.sync_merge import merge_facts_of_syncs, select_newest_syncs
from answerable.inventory.tag_authorship import TagAuthorship
from answerable.model.ids import AgentId, CredentialId, PersonId
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind
from answerable.model.policy import Policy
from answerable.model.sighting import Sync


def join_syncs_into_inventory(
    syncs: Sequence[tuple[str, Sync]],
    *,
    now: int,
    taken_at: int = 0,
    name: str = "",
    attestations: Sequence[OwnerEvidence] = (),
) -> Inventory:
    """Join the scan results of all sources into one inventory.

    Args:
        syncs: Pairs (source, sync), in any order.
        now: Time at which the age of evidence is computed, UTC nanoseconds.
        taken_at: Time of the snapshot, UTC nanoseconds.
        name: Name of the snapshot.
        attestations: Statements of persons about owners; they take precedence over
            evidence of sources.
    """
    merged = merge_syncs_into_inventory(
        syncs, taken_at=taken_at, name=name, attestations=attestations
    )
    return assess_owners_at_time(merged, now)


def merge_syncs_into_inventory(
    syncs: Sequence[tuple[str, Sync]],
    *,
    taken_at: int = 0,
    name: str = "",
    attestations: Sequence[OwnerEvidence] = (),
) -> Inventory:
    """Merge the scan results of all sources into one inventory without owners.

    Args:
        syncs: See `join_syncs_into_inventory`, as the others.
        taken_at: Time of the snapshot, UTC nanoseconds.
        name: Name of the snapshot.
        attestations: Statements of persons about owners.
    """
    each = merge_repository_agents_into_home_agents(select_newest_syncs(syncs))
    facts = merge_facts_of_syncs(each)
    # Attestations are signed and verified; no source can supply one.
    seen = {e for e in facts.evidence if e.kind is not OwnerEvidenceKind.ATTESTATION}
    seen |= set(list_sso_assignment_evidence(facts))
    said = tuple(sorted(seen | set(attestations), key=repr))
    facts = replace(facts, evidence=said)
    facts = replace(
        facts, agents=agents_of.drop_duplicate_inferred_agents(facts.agents)
    )
    credentials = credentials_of.join_credential_sightings(
        facts.credentials, facts.links
    )
    agents = agents_of.join_agents_with_tools(facts, credentials)
    facts = replace(
        facts, identities=add_referenced_identities(facts, agents, credentials)
    )
    return Inventory(
        at=taken_at,
        name=name,
        facts=facts,
        persons={},
        agents=agents,
        credentials=credentials,
        owners={},
        coverage=list_sync_coverage(each),
    )


def assess_owners_at_time(inventory: Inventory, now: int) -> Inventory:
    """Compute the owners at another time, since evidence ages."""
    if inventory.judged_at == now:
        return inventory
    owners, own = inventory.owners, inventory.own_owners
    if isinstance(owners, LazyOwnership) and isinstance(own, LazyOwnership):
        return replace(
            inventory,
            owners=owners.with_owners_at_time(now),
            own_owners=own.with_owners_at_time(now),
            judged_at=now,
        )
    return _collect_evidence_and_assess_owners(inventory, now)


def _collect_evidence_and_assess_owners(inventory: Inventory, now: int) -> Inventory:
    """Collect the ownership evidence of every subject; owners are lazy."""
    found = collect_ownership_records(inventory)
    people = PersonDirectory(inventory.facts.persons, found.list_evidence())
    return replace(
        inventory,
        persons=people.by_id,
        owners=LazyOwnership(found.records, people, now),
        own_owners=LazyOwnership(found.own_records, people, now),
        judged_at=now,
    )


@dataclass(frozen=True, slots=True)
class OwnershipRecords:
    """Ownership evidence by subject, in the order of subjects.

    Attributes:
        records: All evidence.
        own_records: That which is not inherited from roles, where some is.
        evidence: The evidence of each subject that has any.
    """

    records: Mapping[str, SubjectEvidence]
    own_records: Mapping[str, SubjectEvidence]
    evidence: EvidenceBySubject

    def list_evidence(self) -> Iterator[OwnerEvidence]:
        """Yield the evidence of all subjects."""
        return chain.from_iterable(self.evidence.values())


def collect_ownership_records(
    inventory: Inventory,
    named: Collection[PersonId] | None = None,
    shared_policies: Iterable[Policy] = (),
) -> OwnershipRecords:
    """Collect the ownership evidence of every subject of an inventory without owners.

    Args:
        inventory: A whole inventory, or a part that no other fact refers to.
        named: Persons that the whole inventory names; None for those of this one.
        shared_policies: Policies of other parts that are attached to identities here.
    """
    facts = inventory.facts
    tags = _SelfTagging(inventory, shared_policies)
    evidence = collect_owner_evidence(
        facts,
        inventory.agents,
        inventory.credentials,
        tags.is_evidence_independent_of_identity,
        list_named_persons(facts) if named is None else named,
    )
    subjects: set[str] = {identity.id for identity in facts.identities}
    subjects |= set(inventory.agents) | set(inventory.credentials) | set(evidence)
    own = select_evidence_not_from_roles(evidence)
    return OwnershipRecords(
        tags.build_evidence_with_self_tagging(sorted(subjects), evidence),
        tags.build_evidence_with_self_tagging(sorted(own), own),
        evidence,
    )


class _SelfTagging:
    """Check whether a subject, or an identity it acts through, may set its own tags."""

    def __init__(self, inventory: Inventory, shared_policies: Iterable[Policy]) -> None:
        facts = inventory.facts
        self._authorship = TagAuthorship(
            chain(shared_policies, facts.policies), facts.attachments
        )
        self._agents = inventory.agents
        self._credentials = inventory.credentials

    def is_evidence_independent_of_identity(
        self, identity: str, item: OwnerEvidence
    ) -> bool:
        """Return whether an identity cannot have written the evidence."""
        own = (
            item.kind in TAG_EVIDENCE_KINDS
            and self._authorship.may_identity_tag_target(identity, identity)
        )
        return item.seen.written_by.is_trusted_author and not own

    def build_evidence_with_self_tagging(
        self, subjects: Iterable[str], evidence: EvidenceBySubject
    ) -> Mapping[str, SubjectEvidence]:
        """Pair each subject's evidence with whether it may tag itself."""
        found: dict[str, SubjectEvidence] = {}
        for subject in subjects:
            items = tuple(evidence.get(subject, ()))
            tagged = any(item.kind in TAG_EVIDENCE_KINDS for item in items)
            found[subject] = SubjectEvidence(
                items, tagged and self._may_subject_set_own_owner_tags(subject)
            )
        return found

    def _may_subject_set_own_owner_tags(self, subject: str) -> bool:
        """Return whether a subject may set the tags that name its owner."""
        agent = self._agents.get(AgentId(subject))
        credential = self._credentials.get(CredentialId(subject))
        writers: tuple[str, ...] = (subject,)
        tagged: tuple[str, ...] = (subject,)
        if agent is not None:
            writers, tagged = agent.identities, tuple(agent.agent.runs_as)
        elif credential is not None and credential.identity is not None:
            tagged = writers = (credential.identity,)
        return any(
            self._authorship.may_identity_tag_target(writer, target)
            for writer in writers
            for target in tagged
        )


def list_sync_coverage(syncs: Iterable[Sync]) -> tuple[SourceCoverage, ...]:
    """List the coverage records of scan results, in the order of sources."""
    return tuple(map(_build_sync_coverage, sorted(syncs, key=_get_sync_source)))


def _get_sync_source(sync: Sync) -> str:
    """Return the source that a scan result came from."""
    return sync.source


def _build_sync_coverage(sync: Sync) -> SourceCoverage:
    """Build the coverage record of one scan result: complete or not."""
    return SourceCoverage(
        source=sync.source,
        connector=sync.connector,
        at=sync.started_at,
        problems=sync.problems,
        collected=sync.collected,
        not_collected=sync.not_collected,
        held=sync.held,
    )
