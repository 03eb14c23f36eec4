"""`/sign`: the statement to sign, and the submitted signature."""

from base64 import b64encode
from dataclasses import dataclass

from answerable.evidence import signed_statements
from answerable.model.errors import VerificationError
from answerable.model.owner_key import OwnerKey, Statement
from answerable.model.policy_exception import ANY, FOREVER, NO_ARGUMENTS
from answerable.presentation.inventory_lists import spelled_time
from answerable.server.advisory import shared_uid
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwners
from answerable.store.store import Store
from answerable.usecases.evidence import remote_signing
from answerable.web.routing import Answer, Asked, Moved, Page, Route
from answerable.web.signing_action import Act
from answerable.web.signing_actions import FIELDS, act_of
from answerable.web.store_cache import Desk
from answerable.web.visitor import May, Visit

_MOST = 4  # keys of one person that a statement is put together for
_TIMES = ("until", "expires", "signed_at")
_WORDS = {
    ("arguments", ANY): "any",
    ("arguments", NO_ARGUMENTS): "none at all",
    ("until", FOREVER): "it is taken back",
}


@dataclass(frozen=True, slots=True)
class Draft:
    """An unsigned statement.

    Attributes:
        key: Id of the signing key.
        payload: The bytes to sign, base64.
        text: The payload as text.
        lines: Its claims as label and value.
    """

    key: str
    payload: str
    text: str
    lines: tuple[tuple[str, str], ...]


def page(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Show the statement to sign; nothing is recorded."""
    act = act_of(desk, visit, asked.query)
    values = {
        "act": act,
        "drafts": [] if act.second_step else drafts_of(desk, visit, act),
        "fields": {name: asked.query[name] for name in FIELDS if name in asked.query},
        "type": signed_statements.PAYLOAD_TYPE,
        "minutes": remote_signing.WITHIN // (60 * 10**9),
        "advisory": shared_uid(desk.standing().inventory, act.subject, desk.config),
    }
    return Page("sign.html", "Sign", values)


def drafts_of(desk: Desk, visit: Visit, act: Act) -> list[Draft]:
    """Build the statement of an action for each key of the visitor."""
    now = desk.now
    with desk.store() as store:
        return [
            _draft(
                remote_signing.prepare(lambda who: act.tell(store, who, now), key.id)
            )
            for key in usable_keys(store, visit, now)[:_MOST]
        ]


def take(desk: Desk, visit: Visit, asked: Asked) -> Answer:
    """Record a signature, if it is the visitor's over the shown statement."""
    act = act_of(desk, visit, asked.form)
    envelope = asked.form.get("envelope", "").encode()
    record(desk, visit, act, envelope)
    return Moved(act.back, act.said)


def record(desk: Desk, visit: Visit, act: Act, envelope: bytes) -> None:
    """Record an action with the visitor's signed statement.

    Raises:
        VerificationError: The statement is invalid, or another person signed it.
    """
    now = desk.now
    with desk.store() as store:
        own = {key.id for key in usable_keys(store, visit, now)}
        key = signed_statements.read(envelope)[1].key
        if key not in own:
            raise VerificationError(
                "this was not signed with a key of yours that counts now",
                "see your keys: /keys",
            )
        remote_signing.submit(
            store, lambda who: act.tell(store, who, now), envelope, now
        )


def usable_keys(store: Store, visit: Visit, now: int) -> list[OwnerKey]:
    """Return the visitor's valid keys, newest first."""
    if visit.person is None or May.OWN not in visit.may:
        return []
    owners = AttestedOwners(store)
    owners.now(now)
    person = owners.same(visit.person)
    own = [
        key
        for key in owner_keys.keys(store).values()
        if owners.same(key.person) == person and owner_keys.state(key, now) == "valid"
    ]
    return sorted(own, key=lambda key: key.enrolled[-1][0].index, reverse=True)


def _draft(said: Statement) -> Draft:
    data = signed_statements.payload(said)
    lines = [
        ("type", said.type.value),
        ("subject", said.subject),
        *said.claims,
        ("signed_at", str(said.signed_at)),
        ("key", said.key),
        ("store", said.store),
    ]
    return Draft(
        said.key,
        b64encode(data).decode(),
        data.decode(),
        tuple((name.replace("_", " "), _told(name, value)) for name, value in lines),
    )


def _told(name: str, value: str) -> str:
    if (name, value) in _WORDS:
        return _WORDS[name, value]
    if name in _TIMES and value.isascii() and value.isdecimal():
        return spelled_time(int(value))
    return value or "none"


ROUTES: tuple[Route, ...] = (
    Route("/sign", page, frozenset({May.OWN}), FIELDS),
    Route("/sign", take, frozenset({May.OWN}), (*FIELDS, "envelope"), "POST"),
)
