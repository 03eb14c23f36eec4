"""`/keys`: owner keys, and enrolment of a key made in the browser."""

import binascii
import os
from base64 import b64decode

from answerable.inventory.people import PersonDirectory
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, person_id
from answerable.model.owner_key import KEY_LIFETIME, PUBLIC_KEY_BYTES
from answerable.model.provenance import WrittenBy
from answerable.presentation.command_hints import format_command
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.owner_keys import KeyAuthority
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import enroll_remote_key
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_DAY = 86_400 * 10**9
_LOCAL_METHOD = "local"  # signed in with the token that was printed at start
# SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410 4).
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


def list_keys(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """List the visitor's keys; all keys for investigators and administrators."""
    del asked
    with desk.open_store() as store:
        document = owner_keys.list_owner_keys(store, now=desk.now)
        here = owner_keys.store_identity(store)
        mine = _own_key_ids(store, visit, desk.now)
    every = bool({WebPermission.INVESTIGATE, WebPermission.ADMINISTER} & visit.may)
    items = [item for item in document.items if every or item["id"] in mine]
    values = {
        "items": items,
        "mine": mine,
        "enrolls": visit.person is not None and WebPermission.OWN in visit.may,
        "administers": WebPermission.ADMINISTER in visit.may,
        "days": enroll_remote_key.LIFE // _DAY,
        "store": here,
        "commands": _enrolment_commands(visit),
    }
    return PageAnswer("keys.html", "Keys", values)


def enroll_own_key(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Enrol the visitor's own key, made in the browser."""
    form, person = asked.form, visit.person
    if person is None or WebPermission.OWN not in visit.may:
        raise Forbidden
    _require_fresh(visit)
    public = _decode_base64(form.get("public", ""), "the public half of the key")
    proof = _decode_base64(form.get("proof", ""), "the signature by the key")
    word, uid = _voucher(visit), os.getuid()
    with desk.open_store() as store:
        enroll_remote_key.enroll_remote_key(
            store, public, person, proof, word, uid=uid, now=desk.now
        )
    return Redirect(
        "/keys", f"Enrolled: what this browser signs is signed by {person}."
    )


def enroll_for_person(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Enrol another person's public key, as an administrator."""
    form = asked.form
    _require_fresh(visit)
    person = _resolve_person(desk, form.get("person", ""))
    public = _parse_public_key(form.get("public", ""))
    with desk.open_store() as store:
        owner_keys.enroll_key(
            store,
            public,
            person,
            valid_from=desk.now,
            valid_until=desk.now + KEY_LIFETIME,
            uid=os.getuid(),
            now=desk.now,
            authority=_administrator_word(visit),
        )
    return Redirect("/keys", f"Enrolled: a key of {person}.")


def revoke_key(desk: StoreCache, visit: Visitor, asked: RouteRequest) -> RouteAnswer:
    """Revoke a key: one's own, or any as an administrator."""
    name, now = asked.form.get("key", ""), desk.now
    with desk.open_store() as store:
        mine = name in _own_key_ids(store, visit, now)
        known = name in owner_keys.read_owner_keys(store)
        if not (mine or (known and WebPermission.ADMINISTER in visit.may)):
            raise Forbidden
        word = _voucher(visit) if mine else _administrator_word(visit)
        uid = os.getuid()
        owner_keys.revoke_key(store, name, since=None, uid=uid, now=now, authority=word)
    return Redirect("/keys", f"Revoked: nothing that {name} signs from now on counts.")


def _require_fresh(visit: Visitor) -> None:
    """Require a recent sign-in, in case a session was left open.

    Raises:
        UsageError: The sign-in is too old.
    """
    if not visit.fresh:
        raise UsageError(
            "a key is enrolled within minutes of signing in, and that is longer ago",
            "sign out, sign in again, and enrol it then",
        )


def _administrator_word(visit: Visitor) -> KeyAuthority:
    return KeyAuthority(
        f"administrator {visit.person or 'without a name'} ({visit.by})"
    )


def _voucher(visit: Visitor) -> KeyAuthority:
    """Return who vouches for the key: the issuer of the sign-in."""
    vouched = visit.by not in ("", _LOCAL_METHOD)
    written = WrittenBy.MEDIATOR if vouched else WrittenBy.SELF_REPORTED
    return KeyAuthority(f"{visit.by or _LOCAL_METHOD} for {visit.person}", written)


def _own_key_ids(store: EvidenceStore, visit: Visitor, now: int) -> frozenset[str]:
    """Return the ids of the visitor's keys, valid or not."""
    if visit.person is None:
        return frozenset()
    owners = AttestedOwnerReader(store)
    owners.read(now)
    person, known = (
        owners.canonical_person(visit.person),
        owner_keys.read_owner_keys(store),
    )
    return frozenset(
        k for k, key in known.items() if owners.canonical_person(key.person) == person
    )


def _resolve_person(desk: StoreCache, text: str) -> PersonId:
    return PersonDirectory(desk.current_view().inventory.facts.persons)(person_id(text))


def _decode_base64(text: str, what: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise UsageError(
            f"{what} was not sent (expected base64)", "make the key on the page of keys"
        ) from None


def _parse_public_key(text: str) -> bytes:
    """Parse a public key in PEM, or its 32 bytes in base64."""
    lines = [line.strip() for line in text.strip().splitlines()]
    body = "".join(line for line in lines if not line.startswith("-----"))
    data = _decode_base64(body, "the public key")
    raw = data.removeprefix(_SPKI_PREFIX)
    if len(raw) != PUBLIC_KEY_BYTES or len(data) not in (
        PUBLIC_KEY_BYTES,
        len(_SPKI_PREFIX) + PUBLIC_KEY_BYTES,
    ):
        raise UsageError(
            f"no public Ed25519 key (got {len(data)} bytes)",
            "paste the file that ends in .pub, as its person gave it to you",
        )
    return raw


def _enrolment_commands(visit: Visitor) -> tuple[str, ...]:
    name = (visit.person or "person:PERSON").removeprefix("person:")
    return (
        format_command("owner-keys", "new", "--person", name),
        format_command("owner-keys", "enroll", "FILE.pub", "--person", name),
    )


_OWN = frozenset({WebPermission.OWN, WebPermission.ADMINISTER})
ROUTES: tuple[WebRoute, ...] = (
    WebRoute(
        "/keys",
        list_keys,
        frozenset(
            {WebPermission.OWN, WebPermission.ADMINISTER, WebPermission.INVESTIGATE}
        ),
    ),
    WebRoute(
        "/keys",
        enroll_own_key,
        frozenset({WebPermission.OWN}),
        ("public", "proof"),
        "POST",
    ),
    WebRoute(
        "/keys/enroll",
        enroll_for_person,
        frozenset({WebPermission.ADMINISTER}),
        ("person", "public"),
        "POST",
    ),
    WebRoute("/keys/revoke", revoke_key, _OWN, ("key",), "POST"),
)
