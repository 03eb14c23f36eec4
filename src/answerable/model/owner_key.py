"""Owner keys: with which key a person signs, from when to when, and what was signed.

A key is one person's. It is enrolled by whoever may write the store, and what is known
of it follows from the log alone: its enrolments, its revocations, and their places.
"""

import base64
import hashlib
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from answerable.model.ids import PersonId
from answerable.model.written import WrittenBy

OwnerKeyId = NewType("OwnerKeyId", str)

SIZE = 32  # bytes of a public key, RFC 8032 5.1.5
_DAY = 86_400 * 10**9
ATTESTATION_LIFE = 180 * _DAY
KEY_LIFE = 365 * _DAY  # where an enrolment does not say
SKEW = 30 * 10**9  # between the clocks of who signs and who records
# A statement is recorded when it is signed. One that comes later could have been kept
# back, or dated back by whoever found the key.
RECORDED_WITHIN = _DAY


def owner_key_id(public: bytes) -> OwnerKeyId:
    """Name a key by its thumbprint: `owner-key:` and 43 letters.

    Args:
        public: 32 bytes.

    Source: RFC 7638 3, with the members that RFC 8037 2 asks for.
    """
    x = base64.urlsafe_b64encode(public).rstrip(b"=").decode("ascii")
    jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}'
    digest = hashlib.sha256(jwk.encode("ascii")).digest()
    thumbprint = base64.urlsafe_b64encode(digest).rstrip(b"=").decode("ascii")
    return OwnerKeyId(f"owner-key:{thumbprint}")


@dataclass(frozen=True, slots=True)
class Placed:
    """Where an object stands in the log.

    Attributes:
        index: Its place; larger than any for what is not recorded yet.
        at: When it was recorded, UTC nanoseconds; now for what is not recorded yet.
    """

    index: int
    at: int


def unrecorded(now: int) -> Placed:
    """Place something that the log does not hold yet."""
    return Placed((1 << 63) - 1, now)


@dataclass(frozen=True, slots=True)
class Enrolment:
    """A key said to be a person's, as it is recorded.

    Attributes:
        public: 32 bytes.
        person: Whose it is.
        valid_from: From when its signatures count, UTC nanoseconds.
        valid_until: From when they do not any more.
        written_by: Who could have written this.
        uid: User id of whoever recorded it.
        by: On whose word: issuer and subject of a sign-in, or an administrator's id;
            empty where only that user is known.
    """

    public: bytes
    person: PersonId
    valid_from: int
    valid_until: int
    written_by: WrittenBy
    uid: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class Revocation:
    """A key that stops counting, as it is recorded.

    Attributes:
        key: The key.
        since: From when its signatures do not count, UTC nanoseconds.
        written_by: Who could have written this.
        uid: User id of whoever recorded it.
        by: As of an enrolment.
    """

    key: OwnerKeyId
    since: int
    written_by: WrittenBy
    uid: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """A key with all that the log says of it.

    Attributes:
        id: Its name.
        public: 32 bytes.
        person: Whose it is: whom the first enrolment names.
        enrolled: Enrolments for that person, in the order of the log.
        revoked: Revocations, likewise.
    """

    id: OwnerKeyId
    public: bytes
    person: PersonId
    enrolled: tuple[tuple[Placed, Enrolment], ...]
    revoked: tuple[tuple[Placed, Revocation], ...]


def is_in_force(key: OwnerKey, at: Placed) -> bool:
    """Tell whether a key may sign at a place of the log: enrolled, and not revoked."""
    for where, revocation in key.revoked:
        reaches_back = at.index > where.index and revocation.since <= where.at
        if reaches_back or revocation.since <= at.at:
            return False
    return any(each.valid_from <= at.at < each.valid_until for _, each in key.enrolled)


class StatementType(StrEnum):
    """What a statement is about; each later use adds its own."""

    ATTESTATION = "owner-attestation"
    TOOLS_APPROVAL = "tools-approval"
    BASELINE = "baseline"  # an owner holds an agent to what was learned
    REQUEST = "request"  # a person asks an agent for something
    AMENDMENT = "amendment"  # an owner lets an agent do one thing
    AMENDMENT_REFUSED = "amendment-refused"  # or says no
    AMENDMENT_REVOKED = "amendment-revoked"  # or takes an amendment back
    BREAK_GLASS = "break-glass"  # the first of two persons
    BREAK_GLASS_CONFIRMED = "break-glass-confirmed"  # the second


@dataclass(frozen=True, slots=True)
class Statement:
    """What a person signs.

    Attributes:
        type: What it is about.
        subject: Id of what it speaks of.
        claims: What it says, sorted by name.
        signed_at: UTC nanoseconds, by the clock of who signed.
        key: With which key.
        store: Public key of the one store that it is for; elsewhere it says nothing.
    """

    type: StatementType
    subject: str
    claims: tuple[tuple[str, str], ...]
    signed_at: int
    key: OwnerKeyId
    store: str

    def claim(self, name: str) -> str:
        """Give a claim, empty where there is none."""
        return dict(self.claims).get(name, "")


@dataclass(frozen=True, slots=True)
class Verified:
    """A statement whose signature holds, by a key that counted when it was signed.

    Attributes:
        statement: What was signed.
        key: The key.
        digest: SHA-256 of the signed bytes, hex: the same however they are wrapped.
        placed: Where it stands in the log.
    """

    statement: Statement
    key: OwnerKey
    digest: str
    placed: Placed


class Void(StrEnum):
    """Why a statement does not count."""

    UNREADABLE = "unreadable"
    SIGNATURE = "signature-wrong"
    NOT_ENROLLED = "key-not-enrolled"
    OTHER_PERSON = "key-of-another-person"
    OTHER_STORE = "for-another-store"
    OTHER_TYPE = "of-another-type"
    NOT_YET = "key-not-valid-yet"
    KEY_EXPIRED = "key-expired"
    KEY_REVOKED = "key-revoked"
    RECORDED_LATE = "recorded-late"
    FROM_LATER = "signed-in-the-future"
    EXPIRY = "expiry-wrong"
