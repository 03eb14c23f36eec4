"""Find the owner of each agent who confirmed it by a valid signature.

Only agents with an attested owner receive tokens. A lookup per exchange is cheap: the
log is read again only when it has grown, and validity is checked at the time of use.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from types import MappingProxyType

import msgspec

from answerable.evidence.owner_attestations import (
    ATTESTATION_SHAPE,
    build_evidence,
    build_invalid_evidence,
)
from answerable.inventory.ownership_score import (
    get_attestation_end,
    is_valid_attestation,
)
from answerable.inventory.person_directory import PersonDirectory, is_machine_user
from answerable.inventory.sync_merge import merge_facts_of_syncs, select_newest_syncs
from answerable.model.ids import AgentId, PersonId
from answerable.model.owner_signing_key import OwnerKeyId, VerifiedStatement
from answerable.model.person import OwnerEvidence, Person
from answerable.model.sighting import SightedFacts, Snapshot, Sync
from answerable.services.statements import owner_keys
from answerable.services.statements.signed_statements import (
    ItemT,
    RejectedStatement,
    SignedStatements,
    StatementReading,
    verify_statements,
)
from answerable.store.store import EvidenceStore

_AGENT = "agent:"
_FOREVER = 1 << 63


@dataclass(frozen=True, slots=True)
class AttestedOwner:
    """Owner of an agent, confirmed by a signature.

    Attributes:
        person: Owner, under the id that the inventory uses.
        signed_at: UTC nanoseconds.
        expires: End of the attestation, UTC nanoseconds.
        digest: SHA-256 of the signed statement, hex.
    """

    agent: AgentId
    person: PersonId
    key_id: OwnerKeyId
    signed_at: int
    expires: int
    digest: str


class _PersonFacts(msgspec.Struct):
    persons: tuple[Person, ...] = ()


class _SyncPersons(msgspec.Struct):
    """Person records of a stored sync; other fields are skipped."""

    source: str
    connector: str
    started_at: int
    facts: _PersonFacts


class _AttestationStatements(SignedStatements[ItemT]):
    """Attestations of one store, as evidence of ownership."""

    kind = owner_keys.ATTESTATION
    shape = ATTESTATION_SHAPE

    def verify(self, now: int) -> None:
        """Verify the whole log, and read the attestations again."""
        self._store.log.verify_entries()
        super().verify(now)
        self._evidence = _list_attestation_evidence(self._verified, self._rejected)

    def _list_valid_attestations(self, now: int) -> list[OwnerEvidence]:
        """List signed owner attestations that are valid at a time."""
        return [item for item in self._evidence if is_valid_attestation(item, now)]


class AttestedOwnerReader(_AttestationStatements[AttestedOwner]):
    """Cached reader of the attested owners of one store."""

    item = AttestedOwner
    depends_on = ("snapshot", owner_keys.ENROLMENT, owner_keys.REVOCATION)
    last_good = 300.0

    def __init__(self, store: EvidenceStore) -> None:
        super().__init__(store)
        self._people = PersonDirectory(())
        self._owners: Mapping[AgentId, AttestedOwner] = {}
        self._valid_interval = (0, 0)  # in which the selection stays the same

    def owners_by_agent(self, now: int) -> Mapping[AgentId, AttestedOwner]:
        """Return the owner of each agent who confirmed it by a valid signature.

        Args:
            now: UTC nanoseconds.

        Raises:
            VerificationError: The log or an object in it was changed.
            EnvironmentFailure: The store cannot be read.
        """
        self.read(now)
        return self._owners

    def select(self, now: int) -> StatementReading[AttestedOwner]:
        """Return the attested owners; cached until an attestation expires."""
        begin, end = self._valid_interval
        if not begin <= now < end:
            valid = self._list_valid_attestations(now)
            self._owners = self._select_latest_owners(valid)
            self._reading = StatementReading(tuple(self._owners.values()), ())
            end = min(map(get_attestation_end, valid), default=_FOREVER)
            self._valid_interval = (now, end)
        return self._reading

    def canonical_person(self, person: str) -> PersonId:
        """Return the canonical id of a person, as of the latest read."""
        return self._people(person)

    def _select_latest_owners(
        self, valid: Iterable[OwnerEvidence]
    ) -> Mapping[AgentId, AttestedOwner]:
        """Select, for each agent, the newest valid attestation of its owner."""
        found: dict[AgentId, tuple[tuple[int, PersonId], AttestedOwner]] = {}
        for item in valid:
            if not item.subject.startswith(_AGENT):
                continue
            person = self._people(item.person)
            rank = (item.seen.at, person)
            agent = AgentId(item.subject)
            if is_machine_user(person) or (agent in found and found[agent][0] >= rank):
                continue
            found[agent] = (
                rank,
                AttestedOwner(
                    agent=agent,
                    person=person,
                    key_id=OwnerKeyId(item.key),
                    signed_at=item.seen.at,
                    expires=get_attestation_end(item),
                    digest=item.digest,
                ),
            )
        return MappingProxyType(
            {
                agent: owner
                for agent, (_, owner) in found.items()
                if not self._has_person_left(owner.person)
            }
        )

    def _has_person_left(self, person: PersonId) -> bool:
        """Return whether a source reports that a person has left."""
        known = self._people.get_merged_person(person)
        return known is not None and not known.alive

    def verify(self, now: int) -> None:
        """Read the attestations and the persons again."""
        super().verify(now)
        self._people = PersonDirectory(_read_latest_persons(self._store))
        self._valid_interval = (0, 0)


class AttestationReader(_AttestationStatements[OwnerEvidence]):
    """Cached reader of the valid attestations of all subjects, agents or not.

    Only signed statements are read, so the size of the snapshot does not matter. The
    caller checks whether a person has left, and maps aliases.
    """

    item = OwnerEvidence

    def select(self, now: int) -> StatementReading[OwnerEvidence]:
        """Return the valid attestations, oldest first."""
        valid = self._list_valid_attestations(now)
        valid.sort(key=lambda item: (item.seen.at, item.person))
        return StatementReading(tuple(valid), ())


def read_attestations(store: EvidenceStore) -> tuple[OwnerEvidence, ...]:
    """Read the evidence of every signed attestation: valid ones, then rejected ones.

    Raises:
        VerificationError: A stored object was changed.
    """
    return _list_attestation_evidence(
        *verify_statements(store, owner_keys.ATTESTATION, ATTESTATION_SHAPE)
    )


def _list_attestation_evidence(
    verified: Iterable[VerifiedStatement], rejected: Iterable[RejectedStatement]
) -> tuple[OwnerEvidence, ...]:
    """Convert attestations into evidence; an unreadable one is none."""
    invalid = (
        build_invalid_evidence(each.statement, each.invalidity, each.at)
        for each in rejected
        if each.statement is not None and each.invalidity is not None
    )
    return (
        *map(build_evidence, verified),
        *(item for item in invalid if item is not None),
    )


def read_attested_owners(
    store: EvidenceStore, now: int
) -> Mapping[AgentId, AttestedOwner]:
    """Read the owner of each agent who confirmed it by a valid signature."""
    return open_owner_reader(store).owners_by_agent(now)


def open_owner_reader(store: EvidenceStore) -> AttestedOwnerReader:
    """Return the reader of attested owners that is cached with the store."""
    return AttestedOwnerReader.open(store)


def _read_latest_persons(store: EvidenceStore) -> tuple[Person, ...]:
    """Decode only the persons of the newest snapshot.

    The scans of a large organization have hundreds of megabytes, so that the threads of a
    server share the result.
    """
    logged = store.list_objects("snapshot")
    if not logged:
        return ()
    digest = logged[-1].digest
    if store.shared_values is None:
        return _decode_persons(store, digest)
    return store.shared_values.get(
        "persons", digest, lambda: _decode_persons(store, digest)
    )


def _decode_persons(store: EvidenceStore, digest: str) -> tuple[Person, ...]:
    """Decode only the persons of a snapshot."""
    snapshot = msgspec.json.decode(store.get_object(digest), type=Snapshot)
    syncs = []
    for source, digest in snapshot.syncs:
        part = msgspec.json.decode(store.get_object(digest), type=_SyncPersons)
        facts = SightedFacts(persons=part.facts.persons)
        syncs.append((source, Sync(source, part.connector, part.started_at, facts)))
    return merge_facts_of_syncs(select_newest_syncs(syncs)).persons
