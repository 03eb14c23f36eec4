"""Show and attest the owner of an agent, identity or credential (`attest`)."""

import shlex
from collections.abc import Iterator
from typing import cast

import msgspec

from answerable.evidence import owner_attestations
from answerable.inventory.name_resolution import EntityKind, resolve_entity_by_name
from answerable.inventory.ownership_score import is_valid_attestation
from answerable.inventory.person_directory import PersonDirectory, parse_owner
from answerable.inventory.sync_join import assess_owners_at_time
from answerable.model.documents.owners import (
    OwnerCandidateItem,
    OwnerEvidenceItem,
    OwnershipItem,
)
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import AmbiguousError, UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.inventory import Inventory
from answerable.model.person import (
    OwnerCandidate,
    OwnerEvidence,
    OwnerEvidenceKind,
    OwnerState,
    SubjectOwnership,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.presentation.answer_coverage import build_list_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.inventory import snapshots
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestationReader
from answerable.services.statements.owner_keys import StatementSigner
from answerable.store.store import EvidenceStore

_OWNABLE_KINDS: tuple[EntityKind, ...] = ("agent", "identity", "credential")


def show_owner(inventory: Inventory, subject: str, *, now: int) -> Document:
    """Show the owner of an agent, identity or credential.

    An identity that only an audit log names can have an owner, too.

    Raises:
        UsageError: The subject is unknown or ambiguous.
    """
    inventory = assess_owners_at_time(inventory, now)
    return _build_ownership_document(
        inventory, resolve_subject(inventory, subject), now
    )


def attest_unsigned(
    store: EvidenceStore, inventory: Inventory, subject: str, person: str, *, now: int
) -> Document:
    """Record an unsigned confirmation of an owner and show the result.

    An agent could have typed it: it is self-reported, and its state never authorizes.
    The record is never deleted. A later one of another person takes precedence.

    Raises:
        UsageError: The subject is unknown or ambiguous, or the person is no handle.
    """
    key = resolve_subject(inventory, subject)
    said = OwnerEvidence(
        subject=key,
        person=parse_owner(inventory, person),
        kind=OwnerEvidenceKind.CONFIRMATION,
        reference=f"answerable attest {key} --owner {person.strip()}",
        act="",
        standing=False,
        seen=FactProvenance("attest:", "command line", WrittenBy.SELF_REPORTED, now),
    )
    store.put_object("attestation", msgspec.json.encode(said), now)
    name = inventory.name or snapshots.LATEST
    return _build_ownership_document(
        snapshots.load_inventory(store, name, now=now), key, now
    )


def attest_signed(
    store: EvidenceStore,
    inventory: Inventory,
    subject: str,
    person: str,
    signer: StatementSigner,
    *,
    now: int,
) -> Document:
    """Record an attestation as `record_attestation` does, and show the result.

    Raises:
        UsageError: As `record_attestation`.
        VerificationError: As `record_attestation`.
    """
    key = record_attestation(store, inventory, subject, person, signer, now=now)
    name = inventory.name or snapshots.LATEST
    return _build_ownership_document(
        snapshots.load_inventory(store, name, now=now), key, now
    )


def record_attestation(
    store: EvidenceStore,
    inventory: Inventory,
    subject: str,
    person: str,
    signer: StatementSigner,
    *,
    now: int,
) -> str:
    """Record an attestation that is signed with the person's own key; return its subject.

    It is verified before it is recorded, as every later read does, and never deleted. A
    later one of another person takes precedence.

    Raises:
        UsageError: The subject is unknown or ambiguous, or the person is no handle.
        VerificationError: The key is not enrolled for that person, or is not valid now;
            or the person has left. Nothing is recorded.
    """
    key, owner = resolve_subject(inventory, subject), parse_owner(inventory, person)
    enrolled = owner_keys.require_enrolled_key(store, signer.id, format_person(owner))
    people = PersonDirectory(inventory.facts.persons)
    if people(enrolled.person) != owner:
        raise VerificationError(
            f"the key {signer.id} belongs to {enrolled.person} (expected a key of "
            f"{owner})",
            f"sign as the key's person: --owner {format_person(enrolled.person)}",
        )
    left = people.get_merged_person(owner)
    if left is not None and not left.alive:
        raise VerificationError(
            f"{owner} has left the organization and cannot be an owner",
            "sign with the key of a person who is still active",
        )
    said = owner_attestations.build_attestation_content(
        key,
        enrolled.person,
        previous=_find_valid_attestation_digest(inventory, key, now),
        now=signer.signing_time(now),
    )
    AttestationReader.sign(store, said, signer, now)
    return key


def _find_valid_attestation_digest(inventory: Inventory, subject: str, now: int) -> str:
    """Return the digest of the valid attestation, empty if there is none."""
    facts = cast("Iterator[OwnerEvidence]", inventory.facts.iterate("evidence"))
    evidence = [each for each in facts if each.subject == subject]
    said = [(e.seen.at, e.digest) for e in evidence if is_valid_attestation(e, now)]
    return max(said, default=(0, ""))[1]


def format_person(person: PersonId) -> str:
    """Format a person as a command-line argument."""
    return shlex.quote(person.removeprefix("person:"))


def resolve_subject(inventory: Inventory, text: str) -> str:
    """Resolve a text to a subject that can have an owner.

    Raises:
        UsageError: It names nothing.
        AmbiguousError: Several subjects have that name.
    """
    known = inventory.owners
    if text.strip() in known:
        return text.strip()
    try:
        return resolve_entity_by_name(inventory, text, _OWNABLE_KINDS)
    except AmbiguousError:
        raise
    except UsageError:
        # Deleted before any scan: an audit log may have its ARN or short name.
        gone = [key for key in known if key.rpartition("/")[2] == text.strip()]
        if len(gone) == 1:
            return gone[0]
        if gone:
            raise AmbiguousError(
                f"{text.strip()[:200]!r} matches {len(gone)} items (expected one)",
                tuple(sorted(gone)),
            ) from None
        raise


def _build_ownership_document(inventory: Inventory, subject: str, now: int) -> Document:
    """Build the document of a subject's owner and its evidence."""
    ownership = _find_ownership(inventory, subject)
    shown = [build_ownership_item(inventory, subject)]
    covered = build_list_coverage("who-owns", inventory, now)
    return Document("who-owns", shown, covered, next=_suggest_attest_command(ownership))


def _find_ownership(inventory: Inventory, subject: str) -> SubjectOwnership:
    """Return the ownership of a subject; an unowned one if none is known."""
    none = SubjectOwnership(subject, OwnerState.NONE, None, 0.0, 0.0, ())
    return inventory.owners.get(subject) or none


def build_ownership_item(inventory: Inventory, subject: str) -> OwnershipItem:
    """Build the output on who owns a subject, with the evidence."""
    ownership = _find_ownership(inventory, subject)
    return {
        "id": subject,
        "state": ownership.state.value,
        "person": ownership.person,
        "score": round(ownership.score, 4),
        "margin": round(ownership.margin, 4),
        "candidates": [_build_candidate_item(each) for each in ownership.candidates],
    }


def _suggest_attest_command(ownership: SubjectOwnership) -> str:
    """Suggest the command that would attest the owner; empty if attested."""
    if ownership.state in (OwnerState.ATTESTED, OwnerState.CONFIRMED):
        return ""
    if not ownership.person or ownership.state is OwnerState.OWNER_LEFT:
        return format_command("people")  # one of them may be the owner
    person = ownership.person.removeprefix("person:")
    return format_command("attest", ownership.subject, "--owner", person)


def _build_candidate_item(candidate: OwnerCandidate) -> OwnerCandidateItem:
    """Convert an owner candidate with its weighted evidence to a document item."""
    return {
        "person": candidate.person,
        "score": round(candidate.score, 4),
        "evidence": [
            _build_evidence_item(item, weight) for item, weight in candidate.evidence
        ],
    }


def _build_evidence_item(item: OwnerEvidence, weight: float) -> OwnerEvidenceItem:
    """Convert a piece of ownership evidence to a document item."""
    shown: OwnerEvidenceItem = {
        "kind": item.kind.value,
        "source": item.seen.source,
        "place": item.seen.place,
        "reference": item.reference,
        "observed_at": format_time(item.seen.at),
        "weight": round(weight, 4),
        "written_by": item.seen.written_by.value,
    }
    if item.key:
        shown["key"] = item.key
        shown["expires_at"] = format_time(item.until) if item.until else None
        shown["void"] = item.void
        shown["said_of"] = item.said_of
    return shown
