"""Statements signed by persons: canonical form and verification.

A statement is valid if a key named in its text signed it, that key was enrolled and not
revoked both at signing and at recording, and the statement names this store. The caller
checks the type and the person.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping

import msgspec

from answerable.evidence import dsse
from answerable.model.errors import VerificationError
from answerable.model.owner_key import (
    RECORDED_WITHIN,
    SIZE,
    SKEW,
    Enrolment,
    OwnerKey,
    OwnerKeyId,
    Placed,
    Revocation,
    Statement,
    StatementType,
    Verified,
    Void,
    owner_key_id,
)

PAYLOAD_TYPE = "application/vnd.answerable.statement.v1+json"

Keys = Mapping[OwnerKeyId, OwnerKey]

# y of the eight points whose order divides eight, RFC 8032 5.1.2; each stands for two
# signs of x. Signatures that hold under such a key can be made without any secret.
_FIELD = 2**255 - 19
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _FIELD - 1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
    }
)


class StatementVoid(VerificationError):  # noqa: N818 - says what the statement is
    """A statement is not valid.

    Attributes:
        statement: The unverified statement, if it could be parsed.
    """

    def __init__(self, void: Void, message: str, said: Statement | None = None) -> None:
        super().__init__(message)
        self.void = void
        self.statement = said


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    """The signed payload."""

    claims: dict[str, str]
    key: str
    signed_at: str
    store: str
    subject: str
    type: str


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(_Wire, strict=True)


def usable(public: bytes) -> bool:
    """Tell whether 32 bytes are a canonical Ed25519 key that is no small-order point."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return len(public) == SIZE and y < _FIELD and y not in _SMALL_ORDER


def payload(statement: Statement) -> bytes:
    """Encode a statement as the bytes that are signed."""
    return _encoder.encode(
        _Wire(
            claims=dict(statement.claims),
            key=statement.key,
            signed_at=str(statement.signed_at),
            store=statement.store,
            subject=statement.subject,
            type=statement.type.value,
        )
    )


def read(data: bytes) -> tuple[dsse.Envelope, Statement]:
    """Decode an envelope and its statement; nothing is verified yet.

    Raises:
        StatementVoid: The bytes are no envelope, or the payload is no known statement
            in canonical form.
    """
    try:
        envelope = dsse.decode(data)
    except VerificationError as error:
        raise StatementVoid(Void.UNREADABLE, error.message) from None
    if envelope.payload_type != PAYLOAD_TYPE:
        raise StatementVoid(
            Void.OTHER_TYPE,
            f"the envelope holds no statement (expected {PAYLOAD_TYPE})",
        )
    try:
        wire = _decoder.decode(envelope.payload)
        statement = Statement(
            type=StatementType(wire.type),
            subject=wire.subject,
            claims=tuple(sorted(wire.claims.items())),
            signed_at=int(wire.signed_at),
            key=OwnerKeyId(wire.key),
            store=wire.store,
        )
        same = payload(statement) == envelope.payload
    except (ValueError, RecursionError):
        same = False
    if not same:
        raise StatementVoid(
            Void.UNREADABLE, "the envelope holds no statement that this release knows"
        )
    return envelope, statement


def keys_of(
    enrolments: Iterable[tuple[Placed, Enrolment]],
    revocations: Iterable[tuple[Placed, Revocation]],
) -> Keys:
    """Index enrolments and revocations by key, in any order.

    A key belongs to the first person enrolled with it; later enrolments for another
    person are ignored, so a person cannot claim a key held by another.
    """
    enrolled: dict[OwnerKeyId, list[tuple[Placed, Enrolment]]] = defaultdict(list)
    for placed, enrolment in enrolments:
        if usable(enrolment.public):
            enrolled[owner_key_id(enrolment.public)].append((placed, enrolment))
    revoked: dict[OwnerKeyId, list[tuple[Placed, Revocation]]] = defaultdict(list)
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
        )
    return found


def why_not(key: OwnerKey, signed_at: int, placed: Placed) -> Void | None:
    """Return why a key's signature is invalid, None if it is valid.

    The key must be valid at signing and at recording, because a thief can backdate a
    signature. A statement recorded after a revocation that reaches back to it is
    invalid, whatever times it names.

    Args:
        signed_at: UTC nanoseconds, taken from the statement.
        placed: Position of the statement in the log.
    """
    times = (signed_at, max(signed_at, placed.at))
    for where, revocation in key.revoked:
        after = placed.index > where.index and revocation.since <= where.at
        if after or revocation.since <= times[1]:
            return Void.KEY_REVOKED
    spans = [(each.valid_from, each.valid_until) for _, each in key.enrolled]
    for time in times:
        if not any(begin <= time < end for begin, end in spans):
            late = all(end <= time for _, end in spans)
            return Void.KEY_EXPIRED if late else Void.NOT_YET
    if signed_at > placed.at + SKEW:
        return Void.FROM_LATER
    if signed_at < placed.at - RECORDED_WITHIN:
        return Void.RECORDED_LATE
    return None


_SAID: Mapping[Void, str] = {
    Void.NOT_YET: "the key {key} was not valid yet when this was signed",
    Void.KEY_EXPIRED: "the key {key} had expired when this was signed",
    Void.KEY_REVOKED: "the key {key} is revoked",
    Void.FROM_LATER: "the statement was signed in the future; see the clock",
    Void.RECORDED_LATE: "the statement was signed more than a day ago; sign it again",
}


def verify(data: bytes, keys: Keys, placed: Placed, store: str) -> Verified:
    """Verify the signature, key and store of an envelope.

    Args:
        placed: Position in the log.
        store: Public key of this store.

    Raises:
        StatementVoid: The statement is invalid; the error carries the reason.
    """
    envelope, said = read(data)
    key = keys.get(said.key)
    if key is None:
        raise StatementVoid(
            Void.NOT_ENROLLED, f"the key {said.key[:80]} is not enrolled here", said
        )
    if said.key not in dsse.signers(envelope, {key.id: key.public}):
        raise StatementVoid(
            Void.SIGNATURE, f"the key {key.id} has not signed this statement", said
        )
    if said.store != store:
        raise StatementVoid(
            Void.OTHER_STORE, "the statement was signed for another store", said
        )
    void = why_not(key, said.signed_at, placed)
    if void is not None:
        raise StatementVoid(void, _SAID[void].format(key=key.id), said)
    return Verified(said, key, digest_of(envelope), placed)


def digest_of(envelope: dsse.Envelope) -> str:
    """Return the SHA-256 of the signed payload, hex; independent of the envelope."""
    return hashlib.sha256(envelope.payload).hexdigest()
