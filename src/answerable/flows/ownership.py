"""`who-owns` and `attest`: who answers for something, why, and who said so."""

import msgspec

from answerable import inventory as room
from answerable.flows import snapshots
from answerable.flows.hints import command
from answerable.flows.lists import coverage, spelled_time
from answerable.inventory.people import People
from answerable.inventory.resolve import Kind
from answerable.model.document import CandidateItem, Document, EvidenceItem, WhoOwnsItem
from answerable.model.errors import AmbiguousError, UsageError
from answerable.model.ids import PersonId, person_id
from answerable.model.inventory import Inventory
from answerable.model.person import (
    Candidate,
    EvidenceKind,
    OwnerEvidence,
    Ownership,
    OwnerState,
)
from answerable.model.written import Seen, WrittenBy
from answerable.store.store import Store

_OWNED: tuple[Kind, ...] = ("agent", "identity", "credential")


def who_owns(store: Store, inventory: Inventory, subject: str, *, now: int) -> Document:
    """Say who answers for an agent, identity or credential.

    An identity that no inventory saw, and that a trail tells of, is answered for too.

    Raises:
        UsageError: The subject is unknown or ambiguous.
    """
    del store  # what trails tell is part of the inventory already
    inventory = room.aged(inventory, now)
    return _document(inventory, _subject(inventory, subject), now)


def attest(
    store: Store, inventory: Inventory, subject: str, person: str, *, now: int
) -> Document:
    """Record that a person answers for a subject, and show what holds then.

    Unsigned, so whoever could type it may have been an agent: it is self-reported,
    and the state it gives never authorises. It is never deleted. A later one of another person goes above it.

    Raises:
        UsageError: The subject is unknown or ambiguous, or the person is no handle.
    """
    key = _subject(inventory, subject)
    said = OwnerEvidence(
        subject=key,
        person=_person(inventory, person),
        kind=EvidenceKind.CONFIRMATION,
        reference=f"answerable attest {key} --owner {person.strip()}",
        act="",
        standing=False,
        seen=Seen("attest:", "command line", WrittenBy.SELF_REPORTED, now),
    )
    store.put_object("attestation", msgspec.json.encode(said), now)
    name = inventory.name or snapshots.LATEST
    return _document(snapshots.load(store, name, now=now), key, now)


def _person(inventory: Inventory, text: str) -> PersonId:
    """Make an id; another spelling of a known person becomes that person's."""
    return People(inventory.facts.persons)(person_id(text))


def _subject(inventory: Inventory, text: str) -> str:
    known = inventory.owners
    if text.strip() in known:
        return text.strip()
    try:
        return room.resolve(inventory, text, _OWNED)
    except AmbiguousError:
        raise
    except UsageError:
        # Gone before any scan: a trail may know it under its ARN or its short name.
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
    ownership = inventory.owners.get(subject) or Ownership(
        subject, OwnerState.NONE, None, 0.0, 0.0, ()
    )
    item: WhoOwnsItem = {
        "id": subject,
        "state": ownership.state.value,
        "person": ownership.person,
        "score": round(ownership.score, 4),
        "margin": round(ownership.margin, 4),
        "candidates": [_candidate(each) for each in ownership.candidates],
    }
    return Document("who-owns", [item], coverage(inventory, now), next=_next(ownership))


def _next(ownership: Ownership) -> str:
    if ownership.state in (OwnerState.ATTESTED, OwnerState.CONFIRMED):
        return ""
    person = (ownership.person or "PERSON").removeprefix("person:")
    if ownership.state is OwnerState.OWNER_LEFT:
        person = "PERSON"
    return command("attest", ownership.subject, "--owner", person)


def _candidate(candidate: Candidate) -> CandidateItem:
    evidence: list[EvidenceItem] = [
        {
            "kind": item.kind.value,
            "source": item.seen.source,
            "place": item.seen.place,
            "reference": item.reference,
            "observed_at": spelled_time(item.seen.at),
            "weight": round(weight, 4),
            "written_by": item.seen.written_by.value,
        }
        for item, weight in candidate.evidence
    ]
    return {
        "person": candidate.person,
        "score": round(candidate.score, 4),
        "evidence": evidence,
    }
