"""Encode and verify statements that persons sign with an enrolled key.

A statement is valid if a key named in its text signed it, that key was enrolled and not
revoked both at signing and at recording, and the statement names this store. A
`StatementShape` adds the content that statements of one kind must have.
"""

import hashlib
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field

import msgspec

from answerable.evidence import dsse
from answerable.model.ed25519_points import is_small_order
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import (
    MAX_CLOCK_SKEW,
    MAX_RECORDING_DELAY,
    PUBLIC_KEY_BYTES,
    KeyEnrolment,
    KeyRevocation,
    LogPosition,
    OwnerKey,
    OwnerKeyId,
    OwnerStatement,
    StatementInvalidity,
    StatementType,
    VerifiedStatement,
    WebAuthnCredential,
    build_owner_key_id,
)
from answerable.model.policy_exception import NO_EXPIRY

# Kinds of the stored objects of owner keys.
ENROLMENT, REVOCATION = "owner-key", "owner-key-revoked"
_PERSON = "person"  # claim that names the signer
PAYLOAD_TYPE = "application/vnd.answerable.statement.v1+json"

OwnerKeys = Mapping[OwnerKeyId, OwnerKey]


class InvalidStatement(VerificationError):  # noqa: N818 - says what the statement is
    """A statement is not valid.

    Attributes:
        statement: The unverified statement, if it could be parsed.
    """

    def __init__(
        self,
        invalidity: StatementInvalidity,
        message: str,
        statement: OwnerStatement | None = None,
    ) -> None:
        super().__init__(message)
        self.void = invalidity
        self.statement = statement


class _StatementWire(msgspec.Struct, forbid_unknown_fields=True):
    """The signed payload."""

    claims: dict[str, str]
    key: str
    signed_at: str
    store: str
    subject: str
    type: str


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(_StatementWire, strict=True)


def is_valid_public_key(
    public_key: bytes, credential: WebAuthnCredential | None = None
) -> bool:
    """Return whether a key can sign: an Ed25519 key, or a P-256 key of a security key.

    An Ed25519 key is canonical and not of small order. A P-256 key has a credential.
    """
    if credential is not None:
        from answerable.evidence.webauthn import is_valid_p256_key

        return is_valid_p256_key(public_key)
    return len(public_key) == PUBLIC_KEY_BYTES and not is_small_order(public_key)


def verify_key_signature(envelope: dsse.DsseEnvelope, key: OwnerKey) -> int | None:
    """Verify that a key signed an envelope.

    Returns:
        Signature counter of a security key, 0 for a key without one; None if the key
        did not sign.
    """
    credential = key.webauthn
    if credential is None:
        return 0 if dsse.find_signers(envelope, {key.id: key.public}) else None
    from answerable.evidence.webauthn import verify_assertion

    signed = dsse.pre_authentication_encoding(envelope.payload_type, envelope.payload)
    for each in envelope.signatures:
        if each.keyid in ("", key.id):
            found = verify_assertion(each.sig, key.public, credential, signed)
            if found is not None:
                return found.sign_count
    return None


def encode_payload(statement: OwnerStatement) -> bytes:
    """Encode a statement as the bytes that are signed."""
    return _encoder.encode(
        _StatementWire(
            claims=dict(statement.claims),
            key=statement.key,
            signed_at=str(statement.signed_at),
            store=statement.store,
            subject=statement.subject,
            type=statement.type.value,
        )
    )


def decode_statement(data: bytes) -> tuple[dsse.DsseEnvelope, OwnerStatement]:
    """Decode an envelope and its statement; nothing is verified yet.

    Raises:
        InvalidStatement: The bytes are no envelope, or the payload is no known statement
            in canonical form.
    """
    try:
        envelope = dsse.decode_envelope(data)
    except VerificationError as error:
        raise InvalidStatement(StatementInvalidity.UNREADABLE, error.message) from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise InvalidStatement(
            StatementInvalidity.OTHER_TYPE,
            f"the envelope contains no statement (expected {PAYLOAD_TYPE})",
        )
    try:
        wire = _decoder.decode(envelope.payload)
        statement = OwnerStatement(
            type=StatementType(wire.type),
            subject=wire.subject,
            claims=tuple(sorted(wire.claims.items())),
            signed_at=int(wire.signed_at),
            key=OwnerKeyId(wire.key),
            store=wire.store,
        )
        same = encode_payload(statement) == envelope.payload
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise InvalidStatement(
            StatementInvalidity.UNREADABLE,
            "the envelope contains a statement that this release does not support",
        )
    return envelope, statement


def index_enrolled_keys(
    enrolments: Iterable[tuple[LogPosition, KeyEnrolment]],
    revocations: Iterable[tuple[LogPosition, KeyRevocation]],
) -> OwnerKeys:
    """Index enrolments and revocations by key, in any order.

    A key belongs to the first person enrolled with it; later enrolments for another
    person are ignored, so a person cannot claim a key held by another.
    """
    enrolled: dict[OwnerKeyId, list[tuple[LogPosition, KeyEnrolment]]] = defaultdict(
        list
    )
    for placed, enrolment in enrolments:
        if is_valid_public_key(enrolment.public, enrolment.webauthn):
            enrolled[build_owner_key_id(enrolment.public)].append((placed, enrolment))
    revoked: dict[OwnerKeyId, list[tuple[LogPosition, KeyRevocation]]] = defaultdict(
        list
    )
    for placed, revocation in revocations:
        revoked[revocation.key].append((placed, revocation))
    found = {}
    for key, said in enrolled.items():
        said.sort(key=lambda each: each[0].index)
        first = said[0][1]
        found[key] = OwnerKey(
            id=key,
            public=first.public,
            person=first.person,
            enrolled=tuple(each for each in said if each[1].person == first.person),
            revoked=tuple(sorted(revoked[key], key=lambda each: each[0].index)),
            webauthn=first.webauthn,
        )
    return found


def find_key_fault(
    key: OwnerKey, signed_at: int, position: LogPosition
) -> StatementInvalidity | None:
    """Return why a key could not sign at a time; None if it could.

    The key must be valid at signing and at recording, because a thief can backdate a
    signature. A statement recorded after a revocation that reaches back to it is
    invalid at any claimed time.

    Args:
        signed_at: UTC nanoseconds, taken from the statement.
        position: Position of the statement in the log.
    """
    times = (signed_at, max(signed_at, position.at))
    for where, revocation in key.revoked:
        after = position.index > where.index and revocation.since <= where.at
        if after or revocation.since <= times[1]:
            return StatementInvalidity.KEY_REVOKED
    spans = [(each.valid_from, each.valid_until) for _, each in key.enrolled]
    for time in times:
        if not any(begin <= time < end for begin, end in spans):
            late = all(end <= time for _, end in spans)
            return (
                StatementInvalidity.KEY_EXPIRED if late else StatementInvalidity.NOT_YET
            )
    if signed_at > position.at + MAX_CLOCK_SKEW:
        return StatementInvalidity.FROM_LATER
    if signed_at < position.at - MAX_RECORDING_DELAY:
        return StatementInvalidity.RECORDED_LATE
    return None


_MESSAGES: Mapping[StatementInvalidity, str] = {
    StatementInvalidity.NOT_YET: "the key {key} was not valid yet when this was signed",
    StatementInvalidity.KEY_EXPIRED: "the key {key} had expired when this was signed",
    StatementInvalidity.KEY_REVOKED: "the key {key} is revoked",
    StatementInvalidity.FROM_LATER: "the statement was signed in the future; check the clock",
    StatementInvalidity.RECORDED_LATE: "the statement was signed more than a day ago; sign it again",
}


def verify_statement(
    data: bytes, keys: OwnerKeys, position: LogPosition, store: str
) -> VerifiedStatement:
    """Verify the signature, key and store of an envelope.

    Args:
        position: Position in the log.
        store: Public key of this store.

    Raises:
        InvalidStatement: The statement is invalid; the error carries the reason.
    """
    envelope, said = decode_statement(data)
    key = keys.get(said.key)
    if key is None:
        raise InvalidStatement(
            StatementInvalidity.NOT_ENROLLED,
            f"the key {said.key[:80]} is not enrolled in this store",
            said,
        )
    if verify_key_signature(envelope, key) is None:
        raise InvalidStatement(
            StatementInvalidity.SIGNATURE,
            f"the statement is not signed by the key {key.id}",
            said,
        )
    if said.store != store:
        raise InvalidStatement(
            StatementInvalidity.OTHER_STORE,
            "the statement was signed for another store",
            said,
        )
    void = find_key_fault(key, said.signed_at, position)
    if void is not None:
        raise InvalidStatement(void, _MESSAGES[void].format(key=key.id), said)
    return VerifiedStatement(said, key, hash_signed_payload(envelope), position)


def hash_signed_payload(envelope: dsse.DsseEnvelope) -> str:
    """Return the SHA-256 of the signed payload, hex, without the signatures."""
    return hashlib.sha256(envelope.payload).hexdigest()


StatementFault = tuple[StatementInvalidity, str]


def accept_any_content(statement: OwnerStatement) -> StatementFault | None:
    """Accept any content: the default content check of a statement kind."""
    del statement
    return None


@dataclass(frozen=True, slots=True)
class StatementShape:
    """Content that each valid statement of one kind has.

    Attributes:
        noun: Name of a statement in messages and log events.
        claims: Claims of each type, sorted; None if their names are free. If `person`
            is one of them, it must name the signer.
        expiry: Claim with the expiry, UTC nanoseconds; empty for none.
        lifetimes: Longest lifetime of each type that must end, nanoseconds.
        endless: Type whose expiry may be `always`; None for none.
        find_fault: Checks the remaining content; returns the reason if it is invalid.
    """

    noun: str
    claims: Mapping[StatementType, tuple[str, ...] | None]
    expiry: str = ""
    lifetimes: Mapping[StatementType, int] = field(default_factory=dict)
    endless: StatementType | None = None
    find_fault: Callable[[OwnerStatement], StatementFault | None] = accept_any_content

    def verify(
        self, data: bytes, keys: OwnerKeys, position: LogPosition, store: str
    ) -> VerifiedStatement:
        """Verify the signature, key, store and content of an envelope.

        Args:
            position: Position in the log.
            store: Public key of this store.

        Raises:
            InvalidStatement: The statement is invalid; the error carries the reason.
        """
        found = verify_statement(data, keys, position, store)
        self.require_valid_content(found)
        return found

    def require_valid_content(self, found: VerifiedStatement) -> None:
        """Refuse a statement whose content is not valid for this kind.

        Raises:
            InvalidStatement: The content is invalid; the error carries the reason.
        """
        fault = self._find_content_fault(found)
        if fault is not None:
            raise InvalidStatement(*fault, found.statement)

    def get_expiry(self, statement: OwnerStatement) -> int:
        """Return when a statement expires, UTC nanoseconds; 0 if not stated."""
        text = statement.get_statement_claim(self.expiry)
        is_number = text.isascii() and text.isdecimal() and len(text) < 20
        return int(text) if is_number else 0

    def _find_content_fault(self, found: VerifiedStatement) -> StatementFault | None:
        """Return why a statement's content is invalid for this kind, or None."""
        said, key = found.statement, found.key
        names = tuple(name for name, _ in said.claims)
        expected = self.claims.get(said.type, names) or ()
        if said.type not in self.claims or expected not in ((), names):
            return (
                StatementInvalidity.OTHER_TYPE,
                f"the statement has another type (expected {self.noun})",
            )
        if _PERSON in expected and said.get_statement_claim(_PERSON) != key.person:
            return (
                StatementInvalidity.OTHER_PERSON,
                f"the key {key.id} belongs to {key.person} (expected a key of the "
                f"person that the statement names)",
            )
        fault = self.find_fault(said)
        if fault is None and not self._has_valid_expiry(said):
            text = f"the {self.noun} exceeds its maximum lifetime"
            fault = StatementInvalidity.EXPIRY, text
        return fault

    def _has_valid_expiry(self, statement: OwnerStatement) -> bool:
        """Return whether the expiry is after signing and within the maximum."""
        lifetime = self.lifetimes.get(statement.type)
        is_endless = statement.get_statement_claim(self.expiry) == NO_EXPIRY
        if lifetime is None or (is_endless and statement.type is self.endless):
            return True
        begin = statement.signed_at
        return begin < self.get_expiry(statement) <= begin + lifetime
