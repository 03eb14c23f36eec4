"""Enrol, revoke and list owner keys (command `owner-keys`)."""

from dataclasses import dataclass

import msgspec

from answerable.evidence import signed_statements
from answerable.model.documents.owners import NewOwnerKeyItem, OwnerKeyItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId
from answerable.model.owner_signing_key import (
    KeyEnrolment,
    KeyRevocation,
    OwnerKey,
    OwnerKeyId,
    WebAuthnCredential,
    build_owner_key_id,
)
from answerable.model.provenance import WrittenBy
from answerable.presentation.answer_coverage import build_empty_coverage, format_time
from answerable.presentation.command_hints import format_command
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import read_attestations
from answerable.store.store import EvidenceStore


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


def enroll_owner_key(
    store: EvidenceStore,
    public_key: bytes,
    person: PersonId,
    *,
    valid_from: int,
    valid_until: int,
    uid: int,
    now: int,
    authority: KeyAuthority = KeyAuthority(),
    credential: WebAuthnCredential | None = None,
) -> Document:
    """Record a public key as the signing key of a person.

    Args:
        public_key: 32 bytes, or 65 of a security key.
        valid_from: UTC nanoseconds.
        valid_until: UTC nanoseconds.
        uid: User id of the operator.
        now: UTC nanoseconds.

    Raises:
        UsageError: The key is malformed, belongs to another person or is revoked, or
            the times are in the wrong order.
    """
    if not signed_statements.is_valid_public_key(public_key, credential):
        expected = "Ed25519" if credential is None else "P-256"
        raise UsageError(
            f"not a usable {expected} key (its point is not on the curve, or of small "
            "order)",
            "create a key: answerable owner-keys new --person PERSON",
        )
    if not valid_from < valid_until or valid_until <= now:
        raise UsageError(
            f"the key would be valid from {format_time(valid_from)} until "
            f"{format_time(valid_until)} (expected an end after the start and in "
            "the future)",
            "set --until to a time in the future",
        )
    key = owner_keys.read_owner_keys(store).get(build_owner_key_id(public_key))
    if key is not None and key.person != person:
        raise UsageError(
            f"the key {key.id} belongs to {key.person} (expected a key of one person)",
            "ask each person to create a key: answerable owner-keys new --person "
            "PERSON",
        )
    if key is not None and key.revoked:
        raise UsageError(
            f"the key {key.id} is revoked and cannot be enrolled again",
            "ask this person to create a new key",
        )
    said = KeyEnrolment(
        public=public_key,
        person=person,
        valid_from=valid_from,
        valid_until=valid_until,
        written_by=authority.written_by,
        uid=uid,
        by=authority.by,
        webauthn=credential,
    )
    store.put_object(owner_keys.ENROLMENT, msgspec.json.encode(said), now)
    return _build_owner_key_document(store, now, build_owner_key_id(public_key))


def revoke_owner_key(
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
    key = owner_keys.find_owner_key(owner_keys.read_owner_keys(store), name)
    begin = now if since is None else since
    said = KeyRevocation(key.id, begin, authority.written_by, uid, authority.by)
    store.put_object(owner_keys.REVOCATION, msgspec.json.encode(said), now)
    return _build_owner_key_document(store, now, key.id)


def list_owner_keys(store: EvidenceStore, *, now: int) -> Document:
    """List owners' signing keys: valid, expired, revoked or not yet valid."""
    return _build_owner_key_document(store, now)


def describe_new_owner_key(
    key: OwnerKeyId, person: PersonId, private: str, public: str
) -> Document:
    """Describe a new owner key that is not enrolled yet, and the next step."""
    item: NewOwnerKeyItem = {
        "id": key,
        "person": person,
        "key_file": private,
        "public_file": public,
    }
    name = person.removeprefix("person:")
    following = format_command("owner-keys", "enroll", public, "--person", name)
    return Document("owner-keys-new", [item], build_empty_coverage(), next=following)


def _build_owner_key_document(
    store: EvidenceStore, now: int, key_id: OwnerKeyId | None = None
) -> Document:
    """Build the output document of owner keys with their states."""
    known = owner_keys.read_owner_keys(store)
    signed: dict[str, int] = {}
    for item in read_attestations(store):
        signed[item.key] = signed.get(item.key, 0) + (not item.void)
    items = [
        _build_owner_key_item(key, now, signed.get(key.id, 0))
        for key in sorted(known.values(), key=lambda each: (each.person, each.id))
        if key_id in (None, key.id)
    ]
    return Document("owner-keys", items, build_empty_coverage())


def _build_owner_key_item(key: OwnerKey, now: int, signed: int) -> OwnerKeyItem:
    """Build the output item of one owner key."""
    last = key.enrolled[-1][1]
    since = min((said.since for _, said in key.revoked), default=None)
    return {
        "id": key.id,
        "person": key.person,
        "kind": "ed25519" if key.webauthn is None else "webauthn",
        "state": owner_keys.get_owner_key_state(key, now),
        "valid_from": format_time(min(each.valid_from for _, each in key.enrolled)),
        "valid_until": format_time(max(each.valid_until for _, each in key.enrolled)),
        "revoked_at": None if since is None else format_time(since),
        "enrolled_at": format_time(key.enrolled[0][0].at),
        "enrolled_by": last.by or f"uid {last.uid}",
        "written_by": last.written_by.value,
        "attestations": signed,
    }
