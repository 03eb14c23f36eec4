"""Read owner keys, sign statements with one, and verify a new statement."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.evidence.signed_note import VerifierKey
from answerable.evidence.signed_statements import OwnerKeys
from answerable.model.errors import AmbiguousError, UsageError, VerificationError
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    KeyRevocation,
    LogPosition,
    OwnerKey,
    OwnerKeyId,
    OwnerStatement,
    VerifiedStatement,
    build_owner_key_id,
    create_position_before_logging,
)
from answerable.store.store import EvidenceStore

ENROLMENT, REVOCATION = signed_statements.ENROLMENT, signed_statements.REVOCATION
ATTESTATION = owner_attestations.ATTESTATION

KeyRecord = TypeVar("KeyRecord", KeyEnrolment, KeyRevocation)


class StatementSigner(Protocol):
    """Signer of a statement: a local key, or a remote one."""

    @property
    def id(self) -> OwnerKeyId:
        """Id of the owner key that signs."""

    def signing_time(self, now: int) -> int:
        """Return the signing time of a statement, UTC nanoseconds.

        Raises:
            VerificationError: It was signed too long ago, or in the future.
        """

    def sign(self, statement: OwnerStatement) -> bytes:
        """Sign a statement and return its DSSE envelope.

        Raises:
            VerificationError: The signature is for another statement.
        """


@dataclass(frozen=True, slots=True)
class LocalSigner:
    """Unlocked private key, in memory for the duration of one command.

    Attributes:
        public: 32 bytes.
        seed: 32 bytes; never stored, shown or logged.
    """

    public: bytes
    seed: bytes

    def __repr__(self) -> str:
        """Name the key, and keep the seed out of every message and traceback."""
        return f"Signer({self.id})"

    @property
    def id(self) -> OwnerKeyId:
        """Id of the owner key that signs."""
        return build_owner_key_id(self.public)

    def signing_time(self, now: int) -> int:
        """Return the current time as signing time, in UTC nanoseconds."""
        return now

    def sign(self, statement: OwnerStatement) -> bytes:
        """Sign a statement and return its DSSE envelope."""
        text = signed_statements.encode_payload(statement)
        signed = dsse.sign_envelope(
            signed_statements.PAYLOAD_TYPE, text, self.id, self.seed
        )
        return dsse.encode_envelope(signed)


def read_owner_keys(store: EvidenceStore) -> OwnerKeys:
    """Read all keys that were ever enrolled.

    Raises:
        VerificationError: A stored object was changed.
    """
    return signed_statements.index_enrolled_keys(
        _read_key_records(store, ENROLMENT, KeyEnrolment),
        _read_key_records(store, REVOCATION, KeyRevocation),
    )


def require_enrolled_key(
    store: EvidenceStore, key_id: OwnerKeyId, person: str = "PERSON"
) -> OwnerKey:
    """Return the owner key with this id, or raise if it is not enrolled.

    Args:
        person: Person that the hint names, as a command-line argument.

    Raises:
        VerificationError: The key is not enrolled.
    """
    key = read_owner_keys(store).get(key_id)
    if key is None:
        raise VerificationError(
            f"the key {key_id} is not enrolled in the store",
            "ask an administrator to enroll the public key: answerable owner-keys "
            f"enroll PUB --person {person}",
        )
    return key


def get_store_id(store: EvidenceStore) -> str:
    """Return the id of the store in statements: the fingerprint of its log key."""
    key: VerifierKey = store.keys.public_key
    return str(key)


def verify_new_statement(
    store: EvidenceStore, envelope: bytes, now: int
) -> VerifiedStatement:
    """Verify signature, key and time of a statement before it is recorded.

    The caller checks the type and subject of the statement, and that `key.person` may
    make its claims.

    Args:
        store: Store of the enrolled keys.
        envelope: A DSSE envelope that is not recorded yet.
        now: UTC nanoseconds.

    Raises:
        InvalidStatement: It is invalid; the message has the reason.
        VerificationError: A stored object was changed.
    """
    return signed_statements.verify_statement(
        envelope,
        read_owner_keys(store),
        create_position_before_logging(now),
        get_store_id(store),
    )


def find_owner_key(keys: OwnerKeys, name: str) -> OwnerKey:
    """Find an owner's signing key by its id or a prefix of it.

    Raises:
        AmbiguousError: Several ids begin like this.
        UsageError: The key does not exist.
    """
    asked = "owner-key:" + name.strip().removeprefix("owner-key:")
    fit = [each for each in keys if each == asked] or [
        each
        for each in keys
        if len(asked) >= len("owner-key:") + 6 and each.startswith(asked)
    ]
    if len(fit) > 1:
        raise AmbiguousError(
            f"{name[:80]!r} matches {len(fit)} keys (expected one)", tuple(sorted(fit))
        )
    if not fit:
        raise UsageError(
            f"unknown owner key (got {name[:80]!r}, expected its id or at least "
            "its first six characters)",
            "list the keys with `answerable owner-keys list`",
        )
    return keys[fit[0]]


def get_owner_key_state(key: OwnerKey, now: int) -> str:
    """Return the current state of a key as one word."""
    if any(said.since <= now for _, said in key.revoked):
        return "revoked"
    spans = [(each.valid_from, each.valid_until) for _, each in key.enrolled]
    if any(begin <= now < end for begin, end in spans):
        return "valid"
    return "expired" if all(end <= now for _, end in spans) else "not-yet"


def _read_key_records(
    store: EvidenceStore, kind: str, shape: type[KeyRecord]
) -> list[tuple[LogPosition, KeyRecord]]:
    """Read and decode all stored key records of one kind, in log order."""
    found = []
    for each in store.list_objects(kind):
        data = load_signed_statement(store, each.digest)
        try:
            said = msgspec.json.decode(data, type=shape)
        except (ValueError, RecursionError):
            raise _build_damaged_object_error(
                each.digest, "cannot be decoded"
            ) from None
        found.append((LogPosition(each.index, each.at), said))
    return found


def load_signed_statement(store: EvidenceStore, digest: str) -> bytes:
    """Load a signed statement or key record from the store.

    Raises:
        VerificationError: It is missing or was changed.
    """
    try:
        return store.get_object(digest)
    except UsageError:
        raise _build_damaged_object_error(digest, "is missing") from None


def _build_damaged_object_error(digest: str, reason: str) -> VerificationError:
    """Build the error for a damaged stored object."""
    return VerificationError(
        f"the stored object {digest[:16]} of an owner key {reason}",
        "restore the file objects/... from a copy; see `answerable evidence verify`",
    )
