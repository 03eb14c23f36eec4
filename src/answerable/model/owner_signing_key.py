"""Types of owners' signing keys, and of the statements signed with them.

A key belongs to one person. Anyone who may write the store can enrol it; its state
follows from the log alone: its enrolments, its revocations and their positions.
"""

import base64
import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import NewType

from answerable.model.ids import PersonId
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS

OwnerKeyId = NewType("OwnerKeyId", str)

PUBLIC_KEY_BYTES = 32  # bytes of a public Ed25519 key, RFC 8032 5.1.5
P256_KEY_BYTES = 65  # bytes of a public P-256 key, uncompressed, SEC 1 2.3.3
ATTESTATION_LIFETIME = 180 * DAY_NS
KEY_LIFETIME = 365 * DAY_NS  # default of an enrolment
MAX_CLOCK_SKEW = 30 * 10**9  # between the clocks of signer and recorder
# A statement is recorded when it is signed. A later one could have been withheld, or
# backdated by a thief of the key.
MAX_RECORDING_DELAY = DAY_NS


def build_owner_key_id(public: bytes) -> OwnerKeyId:
    """Return the id of a key by its thumbprint: `owner-key:` and 43 letters.

    Args:
        public: 32 bytes of an Ed25519 key, or 65 of a P-256 key of a security key.

    Source: RFC 7638 3, with the members that RFC 8037 2 asks for.
    """
    if len(public) == P256_KEY_BYTES:
        x, y = _encode_base64url(public[1:33]), _encode_base64url(public[33:])
        jwk = f'{{"crv":"P-256","kty":"EC","x":"{x}","y":"{y}"}}'
    else:
        jwk = f'{{"crv":"Ed25519","kty":"OKP","x":"{_encode_base64url(public)}"}}'
    digest = hashlib.sha256(jwk.encode("ascii")).digest()
    return OwnerKeyId(f"owner-key:{_encode_base64url(digest)}")


def _encode_base64url(data: bytes) -> str:
    """Encode without padding, RFC 7515 2."""
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode("ascii")


@dataclass(frozen=True, slots=True)
class LogPosition:
    """Position of an object in the log.

    Attributes:
        index: Log index; larger than any for an object not recorded yet.
        at: Recording time, UTC nanoseconds; now for an object not recorded yet.
    """

    index: int
    at: int


def create_position_before_logging(now: int) -> LogPosition:
    """Return a log position for an object that is not in the log yet."""
    return LogPosition((1 << 63) - 1, now)


@dataclass(frozen=True, slots=True)
class WebAuthnCredential:
    """Credential of a security key, for one web origin.

    Attributes:
        id: Credential id, with which the browser finds the security key.
        origin: Origin of the web page, such as `https://answerable.example`. Its host is
            the relying party id.
    """

    id: bytes
    origin: str


@dataclass(frozen=True, slots=True)
class KeyEnrolment:
    """Recorded enrolment of a person's key.

    Attributes:
        public: 32 bytes, or 65 of a security key.
        person: Key holder.
        valid_from: Start of validity, UTC nanoseconds.
        valid_until: End of validity.
        uid: User id of the recording process.
        by: Authority: issuer and subject of a sign-in, or an administrator's id; empty
            where only the user id is known.
        webauthn: Credential of a security key; None for an Ed25519 key.
    """

    public: bytes
    person: PersonId
    valid_from: int
    valid_until: int
    written_by: WrittenBy
    uid: int
    by: str = ""
    webauthn: WebAuthnCredential | None = None


@dataclass(frozen=True, slots=True)
class KeyRevocation:
    """Recorded revocation of a key.

    Attributes:
        since: Start of invalidity, UTC nanoseconds.
        uid: User id of the recording process.
        by: Authority, as for an enrolment.
    """

    key: OwnerKeyId
    since: int
    written_by: WrittenBy
    uid: int
    by: str = ""


@dataclass(frozen=True, slots=True)
class OwnerKey:
    """Owner key with its enrolments and revocations.

    Attributes:
        public: 32 bytes, or 65 of a security key.
        person: Key holder, as named by the first enrolment.
        enrolled: Enrolments for that person, in log order.
        revoked: Revocations, in log order.
        webauthn: Credential of a security key, as named by the first enrolment; None
            for an Ed25519 key.
    """

    id: OwnerKeyId
    public: bytes
    person: PersonId
    enrolled: tuple[tuple[LogPosition, KeyEnrolment], ...]
    revoked: tuple[tuple[LogPosition, KeyRevocation], ...]
    webauthn: WebAuthnCredential | None = None


def is_owner_key_valid_at(key: OwnerKey, at: LogPosition) -> bool:
    """Return whether a key is enrolled and not revoked at a log position."""
    for where, revocation in key.revoked:
        reaches_back = at.index > where.index and revocation.since <= where.at
        if reaches_back or revocation.since <= at.at:
            return False
    return any(each.valid_from <= at.at < each.valid_until for _, each in key.enrolled)


class StatementType(StrEnum):
    """Type of a signed statement."""

    ATTESTATION = "owner-attestation"
    TOOLS_APPROVAL = "tools-approval"
    BASELINE = "baseline"  # an owner enforces a learned profile
    REQUEST = "request"  # a person asks an agent for something
    CREDENTIAL_POLICY = "credential-policy"  # an owner lets an agent get a credential
    FINDING_SUPPRESSED = "finding-suppressed"  # a person accepts a finding for a time
    FINDING_REOPENED = "finding-reopened"  # or ends that
    FINDING_ASSIGNED = "finding-assigned"  # or assigns it to a person
    PERSON_MERGED = "person-merged"  # a person states that two ids are one person
    PERSON_SPLIT = "person-split"  # or ends that
    AMENDMENT = "amendment"  # an owner grants a policy exception
    AMENDMENT_REFUSED = "amendment-refused"  # or refuses it
    AMENDMENT_REVOKED = "amendment-revoked"  # or revokes an exception
    BREAK_GLASS = "break-glass"  # the first of two persons
    BREAK_GLASS_CONFIRMED = "break-glass-confirmed"  # the second


@dataclass(frozen=True, slots=True)
class OwnerStatement:
    """Statement that a person signs.

    Attributes:
        subject: Id of its subject.
        claims: Claims, sorted by name.
        signed_at: UTC nanoseconds, by the signer's clock.
        key: Signing key.
        store: Public key of its only valid store.
    """

    type: StatementType
    subject: str
    claims: tuple[tuple[str, str], ...]
    signed_at: int
    key: OwnerKeyId
    store: str

    def get_statement_claim(self, name: str) -> str:
        """Return a claim, empty where there is none."""
        return dict(self.claims).get(name, "")


@dataclass(frozen=True, slots=True)
class StatementContent:
    """Content of a statement that is not signed yet.

    Attributes:
        subject: Id of its subject.
    """

    type: StatementType
    subject: str
    claims: Mapping[str, str]

    def build_owner_statement(
        self, key: OwnerKeyId, store: str, signed_at: int
    ) -> OwnerStatement:
        """Build the statement that a key signs for a store, at a time."""
        claims = tuple(sorted(self.claims.items()))
        return OwnerStatement(self.type, self.subject, claims, signed_at, key, store)


@dataclass(frozen=True, slots=True)
class VerifiedStatement:
    """Statement with a valid signature of a key that was valid at signing time.

    Attributes:
        digest: SHA-256 of the signed bytes, hex, independent of the envelope.
        placed: Position in the log.
    """

    statement: OwnerStatement
    key: OwnerKey
    digest: str
    placed: LogPosition


class StatementInvalidity(StrEnum):
    """Reason why a statement is invalid."""

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
