"""Owners of agents, identities and credentials (`who-owns`, `attest`)."""

import shlex

import msgspec

from answerable import inventory as room
from answerable.evidence import owner_attestations
from answerable.inventory.ownership_score import attests
from answerable.inventory.people import People
from answerable.inventory.resolve import Kind
from answerable.model.documents.core import Document
from answerable.model.documents.owners import CandidateItem, EvidenceItem, WhoOwnsItem
from answerable.model.errors import AmbiguousError, UsageError, VerificationError
from answerable.model.ids import PersonId, person_id
from answerable.model.inventory import Inventory
from answerable.model.owner_key import unrecorded
from answerable.model.person import (
    Candidate,
    EvidenceKind,
    OwnerEvidence,
    Ownership,
    OwnerState,
)
from answerable.model.provenance import Seen, WrittenBy
from answerable.presentation.command_hints import command
from answerable.presentation.inventory_lists import coverage_of_list, spelled_time
from answerable.services.inventory import snapshots
from answerable.services.statements import owner_keys
from answerable.services.statements.owner_keys import Signatory
from answerable.store.store import Store

_OWNED: tuple[Kind, ...] = ("agent", "identity", "credential")


def who_owns(store: Store, inventory: Inventory, subject: str, *, now: int) -> Document:
    """Show the owner of an agent, identity or credential.

    An identity that only an audit log names can have an owner, too.

    Raises:
        UsageError: The subject is unknown or ambiguous.
    """
    del store  # the inventory already contains facts from audit logs
    inventory = room.aged(inventory, now)
    return _document(inventory, subject_id(inventory, subject), now)


def attest(
    store: Store, inventory: Inventory, subject: str, person: str, *, now: int
) -> Document:
    """Record an unsigned confirmation of an owner and show the result.

    An agent could have typed it: it is self-reported, and its state never authorizes.
    The record is never deleted. A later one of another person takes precedence.

    Raises:
        UsageError: The subject is unknown or ambiguous, or the person is no handle.
    """
    key = subject_id(inventory, subject)
    said = OwnerEvidence(
        subject=key,
        person=owner_id(inventory, person),
        kind=EvidenceKind.CONFIRMATION,
        reference=f"answerable attest {key} --owner {person.strip()}",
        act="",
        standing=False,
        seen=Seen("attest:", "command line", WrittenBy.SELF_REPORTED, now),
    )
    store.put_object("attestation", msgspec.json.encode(said), now)
    name = inventory.name or snapshots.LATEST
    return _document(snapshots.load(store, name, now=now), key, now)


def attest_signed(
    store: Store,
    inventory: Inventory,
    subject: str,
    person: str,
    signer: Signatory,
    *,
    now: int,
) -> Document:
    """Record an attestation that is signed with the person's own key.

    It is verified before it is recorded, as every later read does, and never deleted. A
    later one of another person takes precedence.

    Raises:
        UsageError: The subject is unknown or ambiguous, or the person is no handle.
        VerificationError: The key is not enrolled for that person, or is not valid now;
            or the person has left. Nothing is recorded.
    """
    key, owner = subject_id(inventory, subject), owner_id(inventory, person)
    known = owner_keys.keys(store)
    enrolled = known.get(signer.id)
    if enrolled is None:
        raise VerificationError(
            f"the key {signer.id} is not enrolled here",
            "an administrator enrolls its public half: answerable owner-keys enroll PUB "
            f"--person {person_name(owner)}",
        )
    people = People(inventory.facts.persons)
    if people(enrolled.person) != owner:
        raise VerificationError(
            f"the key {signer.id} is {enrolled.person}'s (expected a key of {owner})",
            f"sign as yourself: --owner {person_name(enrolled.person)}",
        )
    left = people.get(owner)
    if left is not None and not left.alive:
        raise VerificationError(
            f"{owner} has left and cannot be an owner",
            "let a person sign who has not left",
        )
    here = owner_keys.identity(store)
    said = owner_attestations.attestation(
        key,
        enrolled.person,
        key=signer.id,
        store=here,
        previous=_standing(inventory, key, now),
        now=signer.at(now),
    )
    envelope = signer.envelope(said)
    owner_attestations.verify(envelope, known, unrecorded(now), here)
    store.put_object(owner_keys.ATTESTATION, envelope, now)
    name = inventory.name or snapshots.LATEST
    return _document(snapshots.load(store, name, now=now), key, now)


def _standing(inventory: Inventory, subject: str, now: int) -> str:
    """Return the digest of the valid attestation, empty if there is none."""
    evidence = [e for e in inventory.facts.evidence if e.subject == subject]
    said = [(e.seen.at, e.digest) for e in evidence if attests(e, now)]
    return max(said, default=(0, ""))[1]


def person_name(person: PersonId) -> str:
    """Format a person as a command-line argument."""
    return shlex.quote(person.removeprefix("person:"))


def owner_id(inventory: Inventory, text: str) -> PersonId:
    """Parse a person id; another spelling of a known person gives that person.

    Raises:
        UsageError: The text has a space in it, and is no known person's name.
    """
    named, people = person_id(text), People(inventory.facts.persons)
    if any(map(str.isspace, named)) and people.get(named) is None:
        raise UsageError(
            f"not a person (got {text.strip()[:200]!r}, expected one address or handle)",
            "as in ana@corp.example or ana; the people that scans know: answerable people",
        )
    return people(named)


def subject_id(inventory: Inventory, text: str) -> str:
    """Resolve a text to a subject that can have an owner.

    Raises:
        UsageError: It names nothing.
        AmbiguousError: Several subjects have that name.
    """
    known = inventory.owners
    if text.strip() in known:
        return text.strip()
    try:
        return room.resolve(inventory, text, _OWNED)
    except AmbiguousError:
        raise
    except UsageError:
        # Deleted before any scan: an audit log may have its ARN or short name.
        gone = [key for key in known if key.rpartition("/")[2] == text.strip()]
        if len(gone) == 1:
            return gone[0]
        if gone:
            raise AmbiguousError(
                f"{text.strip()[:200]!r} names {len(gone)} things (expected one)",
                tuple(sorted(gone)),
            ) from None
        raise


def _document(inventory: Inventory, subject: str, now: int) -> Document:
    ownership = _of(inventory, subject)
    shown = [owner_item(inventory, subject)]
    covered = coverage_of_list("who-owns", inventory, now)
    return Document("who-owns", shown, covered, next=_next(ownership))


def _of(inventory: Inventory, subject: str) -> Ownership:
    none = Ownership(subject, OwnerState.NONE, None, 0.0, 0.0, ())
    return inventory.owners.get(subject) or none


def owner_item(inventory: Inventory, subject: str) -> WhoOwnsItem:
    """Build the ownership item of a subject."""
    ownership = _of(inventory, subject)
    return {
        "id": subject,
        "state": ownership.state.value,
        "person": ownership.person,
        "score": round(ownership.score, 4),
        "margin": round(ownership.margin, 4),
        "candidates": [_candidate(each) for each in ownership.candidates],
    }


def _next(ownership: Ownership) -> str:
    if ownership.state in (OwnerState.ATTESTED, OwnerState.CONFIRMED):
        return ""
    if not ownership.person or ownership.state is OwnerState.OWNER_LEFT:
        return command("people")  # one of them may be the owner
    person = ownership.person.removeprefix("person:")
    return command("attest", ownership.subject, "--owner", person)


def _candidate(candidate: Candidate) -> CandidateItem:
    return {
        "person": candidate.person,
        "score": round(candidate.score, 4),
        "evidence": [_evidence(item, weight) for item, weight in candidate.evidence],
    }


def _evidence(item: OwnerEvidence, weight: float) -> EvidenceItem:
    shown: EvidenceItem = {
        "kind": item.kind.value,
        "source": item.seen.source,
        "place": item.seen.place,
        "reference": item.reference,
        "observed_at": spelled_time(item.seen.at),
        "weight": round(weight, 4),
        "written_by": item.seen.written_by.value,
    }
    if item.key:
        shown["key"] = item.key
        shown["expires_at"] = spelled_time(item.until) if item.until else None
        shown["void"] = item.void
        shown["said_of"] = item.said_of
    return shown
