"""`/keys`: owner keys, and enrolment of a key made in the browser."""

import binascii
import os
from base64 import b64decode

from answerable.inventory.people import People
from answerable.model.errors import UsageError
from answerable.model.ids import PersonId, person_id
from answerable.model.owner_key import KEY_LIFE, SIZE
from answerable.model.provenance import WrittenBy
from answerable.presentation.command_hints import command
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwners
from answerable.services.statements.owner_keys import Word
from answerable.store.store import Store
from answerable.usecases.evidence import enroll_remote_key
from answerable.web.routing import Answer, Asked, Forbidden, Moved, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_DAY = 86_400 * 10**9
_LOCAL = "local"  # signed in with the token that was printed at start
# SubjectPublicKeyInfo of an Ed25519 key, before its 32 bytes (RFC 8410 4).
_SPKI = bytes.fromhex("302a300506032b6570032100")


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """List the visitor's keys; all keys for investigators and administrators."""
    del asked
    with desk.store() as store:
        document = owner_keys.listed(store, now=desk.now)
        here = owner_keys.identity(store)
        mine = _own_keys(store, visit, desk.now)
    every = bool({May.INVESTIGATE, May.ADMINISTER} & visit.may)
    items = [item for item in document.items if every or item["id"] in mine]
    values = {
        "items": items,
        "mine": mine,
        "enrolls": visit.person is not None and May.OWN in visit.may,
        "administers": May.ADMINISTER in visit.may,
        "days": enroll_remote_key.LIFE // _DAY,
        "store": here,
        "commands": _commands(visit),
    }
    return Page("keys.html", "Keys", values)


def enroll(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Enrol the visitor's own key, made in the browser."""
    form, person = asked.form, visit.person
    if person is None or May.OWN not in visit.may:
        raise Forbidden
    _fresh(visit)
    public = _bytes(form.get("public", ""), "the public half of the key")
    proof = _bytes(form.get("proof", ""), "the signature by the key")
    word, uid = _own_word(visit), os.getuid()
    with desk.store() as store:
        enroll_remote_key.enroll(
            store, public, person, proof, word, uid=uid, now=desk.now
        )
    return Moved("/keys", f"Enrolled: what this browser signs is signed by {person}.")


def administer(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Enrol another person's public key, as an administrator."""
    form = asked.form
    _fresh(visit)
    person = _person(desk, form.get("person", ""))
    public = _public(form.get("public", ""))
    with desk.store() as store:
        owner_keys.enroll(
            store,
            public,
            person,
            valid_from=desk.now,
            valid_until=desk.now + KEY_LIFE,
            uid=os.getuid(),
            now=desk.now,
            word=_administrator(visit),
        )
    return Moved("/keys", f"Enrolled: a key of {person}.")


def revoke(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Revoke a key: one's own, or any as an administrator."""
    name, now = asked.form.get("key", ""), desk.now
    with desk.store() as store:
        mine = name in _own_keys(store, visit, now)
        known = name in owner_keys.keys(store)
        if not (mine or (known and May.ADMINISTER in visit.may)):
            raise Forbidden
        word = _own_word(visit) if mine else _administrator(visit)
        uid = os.getuid()
        owner_keys.revoke(store, name, since=None, uid=uid, now=now, word=word)
    return Moved("/keys", f"Revoked: nothing that {name} signs from now on counts.")


def _fresh(visit: Visit) -> None:
    """Require a recent sign-in, in case a session was left open.

    Raises:
        UsageError: The sign-in is too old.
    """
    if not visit.fresh:
        raise UsageError(
            "a key is enrolled within minutes of signing in, and that is longer ago",
            "sign out, sign in again, and enrol it then",
        )


def _administrator(visit: Visit) -> Word:
    return Word(f"administrator {visit.person or 'without a name'} ({visit.by})")


def _own_word(visit: Visit) -> Word:
    """Return who vouches for the key: the issuer of the sign-in."""
    vouched = visit.by not in ("", _LOCAL)
    written = WrittenBy.MEDIATOR if vouched else WrittenBy.SELF_REPORTED
    return Word(f"{visit.by or _LOCAL} for {visit.person}", written)


def _own_keys(store: Store, visit: Visit, now: int) -> frozenset[str]:
    """Return the ids of the visitor's keys, valid or not."""
    if visit.person is None:
        return frozenset()
    owners = AttestedOwners(store)
    owners.now(now)
    person, known = owners.same(visit.person), owner_keys.keys(store)
    return frozenset(k for k, key in known.items() if owners.same(key.person) == person)


def _person(desk: Desk, text: str) -> PersonId:
    return People(desk.standing().inventory.facts.persons)(person_id(text))


def _bytes(text: str, what: str) -> bytes:
    try:
        return b64decode(text.encode("ascii"), validate=True)
    except (ValueError, binascii.Error):
        raise UsageError(
            f"{what} was not sent (expected base64)", "make the key on the page of keys"
        ) from None


def _public(text: str) -> bytes:
    """Parse a public key in PEM, or its 32 bytes in base64."""
    lines = [line.strip() for line in text.strip().splitlines()]
    body = "".join(line for line in lines if not line.startswith("-----"))
    data = _bytes(body, "the public key")
    raw = data.removeprefix(_SPKI)
    if len(raw) != SIZE or len(data) not in (SIZE, len(_SPKI) + SIZE):
        raise UsageError(
            f"no public Ed25519 key (got {len(data)} bytes)",
            "paste the file that ends in .pub, as its person gave it to you",
        )
    return raw


def _commands(visit: Visit) -> tuple[str, ...]:
    name = (visit.person or "person:PERSON").removeprefix("person:")
    return (
        command("owner-keys", "new", "--person", name),
        command("owner-keys", "enroll", "FILE.pub", "--person", name),
    )


_OWN = frozenset({May.OWN, May.ADMINISTER})
ROUTES: tuple[Route, ...] = (
    Route("/keys", page, frozenset({May.OWN, May.ADMINISTER, May.INVESTIGATE})),
    Route("/keys", enroll, frozenset({May.OWN}), ("public", "proof"), "POST"),
    Route(
        "/keys/enroll",
        administer,
        frozenset({May.ADMINISTER}),
        ("person", "public"),
        "POST",
    ),
    Route("/keys/revoke", revoke, _OWN, ("key",), "POST"),
)
