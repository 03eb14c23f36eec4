"""Enrol, revoke and list owner keys, and verify statements signed with them."""

from dataclasses import dataclass
from typing import Protocol, TypeVar

import msgspec

from answerable.evidence import dsse, owner_attestations, signed_statements
from answerable.evidence.signed_note import VerifierKey
from answerable.evidence.signed_statements import OwnerKeys
from answerable.model.documents.core import CoverageRecord, Document
from answerable.model.documents.owners import NewOwnerKeyItem, OwnerKeyItem
from answerable.model.errors import AmbiguousError, UsageError, VerificationError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    KeyRevocation,
    LogPosition,
    OwnerKey,
    OwnerKeyId,
    OwnerStatement,
    VerifiedStatement,
    get_unlogged_position,
    owner_key_id,
)
from answerable.model.person import OwnerEvidence
from answerable.model.provenance import WrittenBy
from answerable.presentation.answer_coverage import format_time
from answerable.presentation.command_hints import format_command
from answerable.store.store import EvidenceStore

ENROLMENT, REVOCATION, ATTESTATION = (
    "owner-key",
    "owner-key-revoked",
    "signed-attestation",
)
KINDS = (ENROLMENT, REVOCATION, ATTESTATION)

# Keys are read from the log only.
_COVERAGE: CoverageRecord = {
    "partial": False,
    "sources": [],
    "seen": [],
    "not_collected": [],
}

KeyRecord = TypeVar("KeyRecord", KeyEnrolment, KeyRevocation)


class StatementSigner(Protocol):
    """Signer of a statement: a local key, or a remote one."""

    @property
    def id(self) -> OwnerKeyId:
        """Id of the key."""

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
        """Id of the key."""
        return owner_key_id(self.public)

    def signing_time(self, now: int) -> int:
        """Return the current time."""
        return now

    def sign(self, statement: OwnerStatement) -> bytes:
        """Sign a statement and return its DSSE envelope."""
        text = signed_statements.encode_payload(statement)
        signed = dsse.sign_envelope(
            signed_statements.PAYLOAD_TYPE, text, self.id, self.seed
        )
        return dsse.encode_envelope(signed)


@dataclass(frozen=True, slots=True)
class KeyAuthority:
    """Authority behind an enrolment or a revocation.

    Attributes:
        by: Issuer and subject of a sign-in, or an administrator's id; empty if only the
            operating-system user is known.
        written_by: Who could have written it.
    """

    by: str = ""
    written_by: WrittenBy = WrittenBy.SELF_REPORTED


def read_owner_keys(store: EvidenceStore) -> OwnerKeys:
    """Read all keys that were ever enrolled.

    Raises:
        VerificationError: A stored object was changed.
    """
    return signed_statements.index_keys(
        _read_records(store, ENROLMENT, KeyEnrolment),
        _read_records(store, REVOCATION, KeyRevocation),
    )


def read_attestations(store: EvidenceStore) -> tuple[OwnerEvidence, ...]:
    """Read the evidence of every signed attestation, rejected ones included.

    Raises:
        VerificationError: A stored object was changed.
    """
    logged = store.list_objects(ATTESTATION)
    if not logged:
        return ()
    known, here = read_owner_keys(store), get_store_id(store)
    found: dict[str, OwnerEvidence | None] = {}
    for each in logged:
        if each.digest not in found:
            data = load_statement(store, each.digest)
            placed = LogPosition(each.index, each.at)
            found[each.digest] = owner_attestations.build_ownership_evidence(
                data, known, placed, here
            )
    return tuple(item for item in found.values() if item is not None)


def get_store_id(store: EvidenceStore) -> str:
    """Return the id of the store in statements: the fingerprint of its log key."""
    key: VerifierKey = store.keys.public_key
    return str(key)


def verify_statement(
    store: EvidenceStore, envelope: bytes, now: int
) -> VerifiedStatement:
    """Verify a new statement before it is recorded.

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
        get_unlogged_position(now),
        get_store_id(store),
    )


def enroll_key(
    store: EvidenceStore,
    public_key: bytes,
    person: PersonId,
    *,
    valid_from: int,
    valid_until: int,
    uid: int,
    now: int,
    authority: KeyAuthority = KeyAuthority(),
) -> Document:
    """Record a public key as the signing key of a person.

    Args:
        public_key: 32 bytes.
        valid_from: UTC nanoseconds.
        valid_until: UTC nanoseconds.
        uid: User id of the operator.
        now: UTC nanoseconds.

    Raises:
        UsageError: The key is malformed, belongs to another person or is revoked, or
            the times are in the wrong order.
    """
    if not signed_statements.is_valid_public_key(public_key):
        raise UsageError(
            "not a usable Ed25519 key (its point is of small order)",
            "make one with: answerable owner-keys new --person PERSON",
        )
    if not valid_from < valid_until or valid_until <= now:
        raise UsageError(
            f"the key would be valid from {format_time(valid_from)} until "
            f"{format_time(valid_until)} (expected an end that is later, and ahead)",
            "give --until a time to come",
        )
    key = read_owner_keys(store).get(owner_key_id(public_key))
    if key is not None and key.person != person:
        raise UsageError(
            f"the key {key.id} is {key.person}'s (a key is one person's)",
            "let each person make a key: answerable owner-keys new --person PERSON",
        )
    if key is not None and key.revoked:
        raise UsageError(
            f"the key {key.id} is revoked, and stays so",
            "let its person make a new one",
        )
    said = KeyEnrolment(
        public=public_key,
        person=person,
        valid_from=valid_from,
        valid_until=valid_until,
        written_by=authority.written_by,
        uid=uid,
        by=authority.by,
    )
    store.put_object(ENROLMENT, msgspec.json.encode(said), now)
    return _build_key_document(store, now, owner_key_id(public_key))


def revoke_key(
    store: EvidenceStore,
    name: str,
    *,
    since: int | None,
    uid: int,
    now: int,
    authority: KeyAuthority = KeyAuthority(),
) -> Document:
    """Record that signatures of a key are invalid from a time on.

    Args:
        name: The key's id, or a prefix of it.
        since: UTC nanoseconds; None for now.
        uid: User id of the operator.
        now: UTC nanoseconds.

    Raises:
        UsageError: The key does not exist.
    """
    key = find_key(read_owner_keys(store), name)
    begin = now if since is None else since
    said = KeyRevocation(key.id, begin, authority.written_by, uid, authority.by)
    store.put_object(REVOCATION, msgspec.json.encode(said), now)
    return _build_key_document(store, now, key.id)


def list_owner_keys(store: EvidenceStore, *, now: int) -> Document:
    """List the keys with their current state."""
    return _build_key_document(store, now)


def describe_new_key(
    key: OwnerKeyId, person: PersonId, private: str, public: str
) -> Document:
    """Describe a new key and the next step; it is not enrolled yet."""
    item: NewOwnerKeyItem = {
        "id": key,
        "person": person,
        "key_file": private,
        "public_file": public,
    }
    name = person.removeprefix("person:")
    following = format_command("owner-keys", "enroll", public, "--person", name)
    return Document("owner-keys-new", [item], _COVERAGE, next=following)


def find_key(keys: OwnerKeys, name: str) -> OwnerKey:
    """Find a key by its id or a prefix of it.

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
            f"{name[:80]!r} names {len(fit)} keys (expected one)", tuple(sorted(fit))
        )
    if not fit:
        raise UsageError(
            f"unknown owner key (got {name[:80]!r}, expected its id or the first six "
            "letters of it)",
            "see `answerable owner-keys list`",
        )
    return keys[fit[0]]


def get_key_state(key: OwnerKey, now: int) -> str:
    """Return the current state of a key as one word."""
    if any(said.since <= now for _, said in key.revoked):
        return "revoked"
    spans = [(each.valid_from, each.valid_until) for _, each in key.enrolled]
    if any(begin <= now < end for begin, end in spans):
        return "valid"
    return "expired" if all(end <= now for _, end in spans) else "not-yet"


def _build_key_document(
    store: EvidenceStore, now: int, key_id: OwnerKeyId | None = None
) -> Document:
    """Build the output document of owner keys with their states."""
    known = read_owner_keys(store)
    signed: dict[str, int] = {}
    for item in read_attestations(store):
        signed[item.key] = signed.get(item.key, 0) + (not item.void)
    items = [
        _build_key_item(key, now, signed.get(key.id, 0))
        for key in sorted(known.values(), key=lambda each: (each.person, each.id))
        if key_id in (None, key.id)
    ]
    return Document("owner-keys", items, _COVERAGE)


def _build_key_item(key: OwnerKey, now: int, signed: int) -> OwnerKeyItem:
    """Build the output item of one owner key."""
    last = key.enrolled[-1][1]
    since = min((said.since for _, said in key.revoked), default=None)
    return {
        "id": key.id,
        "person": key.person,
        "state": get_key_state(key, now),
        "valid_from": format_time(min(each.valid_from for _, each in key.enrolled)),
        "valid_until": format_time(max(each.valid_until for _, each in key.enrolled)),
        "revoked_at": None if since is None else format_time(since),
        "enrolled_at": format_time(key.enrolled[0][0].at),
        "enrolled_by": last.by or f"uid {last.uid}",
        "written_by": last.written_by.value,
        "attestations": signed,
    }


def _read_records(
    store: EvidenceStore, kind: str, shape: type[KeyRecord]
) -> list[tuple[LogPosition, KeyRecord]]:
    """Read and decode all stored key records of one kind, in log order."""
    found = []
    for each in store.list_objects(kind):
        data = load_statement(store, each.digest)
        try:
            said = msgspec.json.decode(data, type=shape)
        except (ValueError, RecursionError):
            raise _build_damage_error(each.digest, "does not decode") from None
        found.append((LogPosition(each.index, each.at), said))
    return found


def load_statement(store: EvidenceStore, digest: str) -> bytes:
    """Load a signed statement or key record from the store.

    Raises:
        VerificationError: It is missing or was changed.
    """
    try:
        return store.get_object(digest)
    except UsageError:
        raise _build_damage_error(digest, "is missing") from None


def _build_damage_error(digest: str, reason: str) -> VerificationError:
    """Build the error for a damaged stored object."""
    return VerificationError(
        f"the stored object {digest[:16]} of an owner key {reason}",
        "restore the file objects/... from a copy; see `answerable evidence verify`",
    )
