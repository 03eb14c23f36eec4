"""People, and the evidence that one of them answers for something."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PersonId
from answerable.model.written import Seen


@dataclass(frozen=True, slots=True)
class Person:
    """An accountable human, or a team standing in for one.

    Attributes:
        id: `person:EMAIL-or-handle`.
        name: Display name, may be empty.
        aliases: Other handles and addresses of the same person, folded to lower case.
        team: True for a team name: it routes, it never owns alone.
        alive: False for someone who has left.
        seen: Provenance.
    """

    id: PersonId
    name: str
    aliases: tuple[str, ...]
    team: bool
    alive: bool
    seen: Seen


class EvidenceKind(StrEnum):
    """Kinds of ownership evidence; weights live in the inventory room."""

    ATTESTATION = "attestation"
    CONFIRMATION = "confirmation"
    HOME = "config-in-home"
    CODEOWNERS = "codeowners"
    OWNER_TAG = "owner-tag"
    CREATOR = "creator"
    OIDC_SUBJECT = "oidc-subject"
    TEAM_TAG = "team-tag"
    ASSUMER = "frequent-assumer"
    ASSIGNMENT = "role-assignment"
    NAME_MATCH = "name-match"


@dataclass(frozen=True, slots=True)
class OwnerEvidence:
    """One reason to think that a person answers for a subject.

    Attributes:
        subject: Id of an agent, identity or credential.
        person: The candidate.
        kind: What sort of trace this is.
        reference: The trace itself, verbatim and short (`Owner=ana@corp.example`).
        act: Key of the act that left it; traces of one act count once. May be empty.
        standing: True for a tag or a file that still says so; it ages from when it was
            last seen, where an event ages from when it happened.
        seen: Provenance; `seen.at` is the time it ages from.
        key: Of an attestation: the owner key that signed it.
        until: Of an attestation: when it ends, UTC nanoseconds; 0 for the usual life.
        void: Of an attestation: why it does not count, empty where it does.
        digest: Of an attestation: SHA-256 of what was signed, hex.
        said_of: The subject that it is about, where it flowed from there; a person's
            signed word holds for that one alone. Empty where it is `subject`.
    """

    subject: str
    person: PersonId
    kind: EvidenceKind
    reference: str
    act: str
    standing: bool
    seen: Seen
    key: str = ""
    until: int = 0
    void: str = ""
    digest: str = ""
    said_of: str = ""


class OwnerState(StrEnum):
    """How an owner is known, strongest first. Only ATTESTED authorises."""

    ATTESTED = "attested"
    CONFIRMED = "confirmed"
    INFERRED = "inferred"
    SUGGESTED = "suggested"
    AMBIGUOUS = "ambiguous"
    TEAM_ONLY = "team-only"
    OWNER_LEFT = "owner-left"
    NONE = "none"


@dataclass(frozen=True, slots=True)
class Candidate:
    """A person with the evidence for them and its combined score, 0 to 1."""

    person: PersonId
    score: float
    evidence: tuple[tuple[OwnerEvidence, float], ...]  # each with its effective weight


@dataclass(frozen=True, slots=True)
class Ownership:
    """Who answers for a subject, how that is known, and who else could.

    Attributes:
        subject: Id of an agent, identity or credential.
        state: How the owner is known.
        person: The owner, or None unless the state names one.
        score: Score of the top candidate, 0 to 1.
        margin: Distance to the next candidate.
        candidates: All candidates, best first.
    """

    subject: str
    state: OwnerState
    person: PersonId | None
    score: float
    margin: float
    candidates: tuple[Candidate, ...]
