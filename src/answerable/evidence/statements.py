"""Statements that persons sign: their one spelling, and whether one counts.

A statement counts where a key that its own text names has signed it, that key was
enrolled and not revoked both when it was signed and when it was recorded, and it was
made for this store. Who reads a statement for a purpose checks its type and its person.
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
    """A statement does not count.

    Attributes:
        void: Why.
        statement: What it says, where that could be read; nothing vouches for it.
    """

    def __init__(self, void: Void, message: str, said: Statement | None = None) -> None:
        super().__init__(message)
        self.void = void
        self.statement = said


class _Wire(msgspec.Struct, forbid_unknown_fields=True):
    """The payload as it is signed."""

    claims: dict[str, str]
    key: str
    signed_at: str
    store: str
    subject: str
    type: str


_encoder = msgspec.json.Encoder(order="sorted")
_decoder = msgspec.json.Decoder(_Wire, strict=True)


def usable(public: bytes) -> bool:
    """Tell whether 32 bytes can be a key: no point of small order, canonical."""
    y = int.from_bytes(public, "little") & (1 << 255) - 1
    return len(public) == SIZE and y < _FIELD and y not in _SMALL_ORDER


def payload(statement: Statement) -> bytes:
    """Write a statement as the bytes that are signed."""
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
    """Read an envelope and the statement in it; nothing is verified yet.

    Raises:
        StatementVoid: It is no envelope, or its payload no statement that we know in
            its one spelling.
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
    """Gather what the log says of each key, in any order.

    A key is one person's: what names another one later is passed over, so that nobody
    can be given a key that somebody else holds.
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
    """Say why a key's signature does not count, None where it does.

    It has to count at both times, that of signing and that of recording: whoever found
    a key can write any time into what it signs. What is recorded after a revocation
    that reaches back to it does not count, whatever times it names.

    Args:
        key: The key.
        signed_at: UTC nanoseconds, as the statement says.
        placed: Where the statement stands in the log.
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
    """Verify an envelope whole.

    Args:
        data: The envelope.
        keys: Enrolled keys.
        placed: Where it stands in the log.
        store: Public key of this store.

    Raises:
        StatementVoid: It does not count; it says why.
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
    """Name what was signed, however it is wrapped: SHA-256 of the payload, hex."""
    return hashlib.sha256(envelope.payload).hexdigest()
