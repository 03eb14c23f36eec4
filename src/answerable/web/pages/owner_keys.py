"""`/keys`: list, enrol and revoke the keys with which owners sign."""

import binascii
import os
from base64 import b64decode
from collections.abc import Callable
from urllib.parse import urlsplit

from answerable.evidence import webauthn
from answerable.inventory.person_directory import PersonDirectory
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, build_person_id
from answerable.model.owner_signing_key import (
    KEY_LIFETIME,
    PUBLIC_KEY_BYTES,
    WebAuthnCredential,
)
from answerable.model.provenance import WrittenBy
from answerable.model.time_units import DAY_NS
from answerable.presentation.command_hints import format_command
from answerable.services.statements import key_enrolment, owner_keys
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.services.statements.key_enrolment import KeyAuthority
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import enroll_remote_key
from answerable.web.auth.local_token import is_local_peer
from answerable.web.auth.sessions import LOCAL_METHOD, LOCAL_METHODS
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

# SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410 4).
_SPKI_PREFIX = bytes.fromhex("302a300506032b6570032100")


def list_keys(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """List the visitor's keys; all keys for investigators and administrators."""
    with cache.open_store() as store:
        document = key_enrolment.list_owner_keys(store, now=cache.now)
        here = owner_keys.get_store_id(store)
        mine = _list_own_key_ids(store, visitor, _get_directory(cache))
    every = bool({WebPermission.INVESTIGATE, WebPermission.ADMINISTER} & visitor.may)
    items = [item for item in document.items if every or item["id"] in mine]
    values = {
        "items": items,
        "mine": mine,
        "enrolls": visitor.person is not None and WebPermission.OWN in visitor.may,
        "administers": WebPermission.ADMINISTER in visitor.may,
        "days": enroll_remote_key.LIFE // DAY_NS,
        "store": here,
        "named_origin": _suggest_named_origin(request.origin),
        "commands": _enrolment_commands(visitor),
    }
    return PageAnswer("keys.html", "Keys", values)


def enroll_own_key(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Enrol the visitor's own key, generated in the browser."""
    form, person = request.form, visitor.person
    credential = _read_credential(request)
    if person is None or WebPermission.OWN not in visitor.may:
        raise Forbidden
    _require_recent_sign_in(visitor)
    public = _decode_base64(form.get("public", ""), "the public key")
    proof = _decode_base64(form.get("proof", ""), "the signature of the key")
    word, uid = _sign_in_authority(visitor), os.getuid()
    with cache.open_store() as store:
        enroll_remote_key.enroll_remote_key(
            store,
            public,
            person,
            proof,
            word,
            uid=uid,
            now=cache.now,
            credential=credential,
        )
    signer = "this browser" if credential is None else "this security key"
    return Redirect("/keys", f"Enrolled: {signer} now signs as {person}.")


def enroll_for_person(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Enrol another person's public key, as an administrator."""
    form = request.form
    _require_recent_sign_in(visitor)
    person = _resolve_person(cache, form.get("person", ""))
    public = _parse_public_key(form.get("public", ""))
    with cache.open_store() as store:
        key_enrolment.enroll_owner_key(
            store,
            public,
            person,
            valid_from=cache.now,
            valid_until=cache.now + KEY_LIFETIME,
            uid=os.getuid(),
            now=cache.now,
            authority=_administrator_authority(visitor),
        )
    return Redirect("/keys", f"Enrolled: a key of {person}.")


def revoke_key(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Revoke a key: one's own, or any as an administrator."""
    name, now = request.form.get("key", ""), cache.now
    with cache.open_store() as store:
        owners = open_owner_reader(store)
        owners.read(now)
        mine = name in _list_own_key_ids(store, visitor, owners.canonical_person)
        known = name in owner_keys.read_owner_keys(store)
        if not (mine or (known and WebPermission.ADMINISTER in visitor.may)):
            raise Forbidden
        word = (
            _sign_in_authority(visitor) if mine else _administrator_authority(visitor)
        )
        uid = os.getuid()
        key_enrolment.revoke_owner_key(
            store, name, since=None, uid=uid, now=now, authority=word
        )
    return Redirect("/keys", f"Revoked: later signatures by {name} are invalid.")


def _require_recent_sign_in(visitor: Visitor) -> None:
    """Require a recent sign-in, in case a session was left open.

    Raises:
        UsageError: The sign-in is too old.
    """
    if not visitor.fresh:
        raise UsageError(
            "the sign-in is too old: a key can be enrolled only within minutes of it",
            "sign out, sign in again, and enroll the key",
        )


def _administrator_authority(visitor: Visitor) -> KeyAuthority:
    """Return the administrator who vouches for an owner key's enrolment."""
    return KeyAuthority(
        f"administrator {visitor.person or 'without a name'} ({visitor.by})"
    )


def _sign_in_authority(visitor: Visitor) -> KeyAuthority:
    """Return the sign-in issuer that vouches for an owner key's enrolment."""
    vouched = bool(visitor.by) and visitor.by not in LOCAL_METHODS
    written = WrittenBy.MEDIATOR if vouched else WrittenBy.SELF_REPORTED
    return KeyAuthority(f"{visitor.by or LOCAL_METHOD} for {visitor.person}", written)


def _list_own_key_ids(
    store: EvidenceStore, visitor: Visitor, canonical: Callable[[str], PersonId]
) -> frozenset[str]:
    """Return the ids of the visitor's keys, valid or not."""
    if visitor.person is None:
        return frozenset()
    person, known = canonical(visitor.person), owner_keys.read_owner_keys(store)
    return frozenset(k for k, key in known.items() if canonical(key.person) == person)


def _get_directory(cache: StoreCache) -> PersonDirectory:
    """Return the directory of the persons of the newest scan."""
    return cache.get_derived(
        "person directory", lambda view: PersonDirectory(view.inventory.facts.persons)
    )


def _read_credential(request: RouteRequest) -> WebAuthnCredential | None:
    """Return the credential of a security key, for the origin of this page.

    Raises:
        UsageError: It is malformed, or this page has no host name.
    """
    text = request.form.get("credential", "")
    if not text:
        return None
    raw = _decode_base64(text, "the id of the credential")
    if not 0 < len(raw) <= webauthn.MAX_CREDENTIAL_ID or not request.origin:
        raise UsageError(
            f"not a credential id (got {len(raw)} bytes)",
            "enroll the security key again",
        )
    return WebAuthnCredential(raw, request.origin)


def _suggest_named_origin(origin: str) -> str:
    """Return this page's origin with a host name; empty if it has one.

    Browsers offer security keys to host names alone, never to IP addresses.
    """
    at = urlsplit(origin)
    if not is_local_peer(at.hostname or ""):
        return ""
    return f"{at.scheme}://localhost" + (f":{at.port}" if at.port else "")


def _resolve_person(cache: StoreCache, text: str) -> PersonId:
    """Return the canonical person of a name or address."""
    return _get_directory(cache)(build_person_id(text))


def _decode_base64(text: str, label: str) -> bytes:
    """Decode base64 text; a UsageError names the field."""
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise UsageError(
            f"{label} was not sent (expected base64)",
            "create the key on the page Keys",
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
            f"not a public Ed25519 key (got {len(data)} bytes)",
            "paste the content of the person's .pub file",
        )
    return raw


def _enrolment_commands(visitor: Visitor) -> tuple[str, ...]:
    """Return the CLI commands that create and enrol a key."""
    name = (visitor.person or "person:PERSON").removeprefix("person:")
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
        ("public", "proof", "credential"),
        "POST",
    ),
    WebRoute(
        "/keys/enroll",
        enroll_for_person,
        frozenset({WebPermission.ADMINISTER}),
        ("person", "public"),
        "POST",
        labels={"person": "person", "public": "public key"},
    ),
    WebRoute("/keys/revoke", revoke_key, _OWN, ("key",), "POST"),
)
