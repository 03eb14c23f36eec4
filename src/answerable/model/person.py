"""Types of persons and their merges, ownership evidence and assigned owners."""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.ids import PersonId
from answerable.model.provenance import FactProvenance, WrittenBy


@dataclass(frozen=True, slots=True)
class Person:
    """Accountable human, or a team that represents one.

    Attributes:
        id: `person:EMAIL-or-handle`.
        name: Display name, may be empty.
        aliases: Other handles and addresses of the same person, folded to lower case.
        team: True for a team name: it routes, it never owns alone.
        alive: False for someone who has left.
        manager: Manager, where a directory names one; empty otherwise.
        sponsors: People who answer for a guest, where a directory names them.
    """

    id: PersonId
    name: str
    aliases: tuple[str, ...]
    team: bool
    alive: bool
    seen: FactProvenance
    manager: str = ""
    sponsors: tuple[str, ...] = ()


class OwnerEvidenceKind(StrEnum):
    """Kind of ownership evidence; the inventory package holds the weights."""

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
    """Piece of evidence that a person owns a subject.

    Attributes:
        subject: Id of an agent, identity or credential.
        person: The candidate.
        kind: Kind of evidence.
        reference: The trace itself, verbatim and short (`Owner=ana@corp.example`).
        act: Key of the act that left it; traces of one act count once. May be empty.
        standing: True for a tag or a file that still says so. It ages from when it was
            last seen; an event ages from when it happened.
        seen: Provenance; `seen.at` is the time it ages from.
        key: Of an attestation: the owner key that signed it.
        until: Of an attestation: when it ends, UTC nanoseconds; 0 for the usual life.
        void: Of an attestation: why it is invalid, empty for a valid one.
        digest: Of an attestation: SHA-256 of what was signed, hex.
        said_of: The original subject, where the evidence was propagated from there; a
            signed attestation applies to that subject alone. Empty for `subject`.
    """

    subject: str
    person: PersonId
    kind: OwnerEvidenceKind
    reference: str
    act: str
    standing: bool
    seen: FactProvenance
    key: str = ""
    until: int = 0
    void: str = ""
    digest: str = ""
    said_of: str = ""


class OwnerState(StrEnum):
    """Evidence state of an owner, strongest first. Only ATTESTED authorises."""

    ATTESTED = "attested"
    CONFIRMED = "confirmed"
    INFERRED = "inferred"
    SUGGESTED = "suggested"
    AMBIGUOUS = "ambiguous"
    TEAM_ONLY = "team-only"
    OWNER_LEFT = "owner-left"
    NONE = "none"


OWNER_NOT_KNOWN = "not-known"  # no source that could name an owner was scanned
LISTED_OWNER_STATES = (*(state.value for state in OwnerState), OWNER_NOT_KNOWN)


@dataclass(frozen=True, slots=True)
class OwnerCandidate:
    """Candidate owner with the evidence and its combined score, 0 to 1."""

    person: PersonId
    score: float
    evidence: tuple[tuple[OwnerEvidence, float], ...]  # each with its effective weight


@dataclass(frozen=True, slots=True)
class SubjectOwnership:
    """Ownership of a subject: its owner, the state of the evidence and all candidates.

    Attributes:
        subject: Id of an agent, identity or credential.
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
    candidates: tuple[OwnerCandidate, ...]


@dataclass(frozen=True, slots=True)
class PersonMerge:
    """Statement that two ids belong to one person; it changes lists only.

    It gives no permission, changes no owner and joins no keys.

    Attributes:
        person: The one id.
        other: The other id.
        by: Person who signed it, or author and kind of sign-in of one without a signature.
        written_by: `PERSON` for a signed one, else `SELF_REPORTED`.
        at: UTC nanoseconds.
        merged: False where the statement ends an earlier one.
        digest: Digest of a signed statement.
    """

    person: PersonId
    other: PersonId
    by: str
    written_by: WrittenBy
    at: int
    merged: bool = True
    digest: str = ""

    @property
    def pair(self) -> tuple[PersonId, PersonId]:
        """Return the ids in a fixed order."""
        first, second = sorted((self.person, self.other))
        return first, second
