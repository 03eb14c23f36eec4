"""`/sign`: the statement to sign, and the submitted signature."""

from base64 import b64encode
from dataclasses import dataclass

from answerable.evidence import signed_statements
from answerable.model.errors import VerificationError
from answerable.model.owner_key import OwnerKey, OwnerStatement
from answerable.model.policy_exception import ANY_ARGUMENTS, NO_ARGUMENTS, NO_EXPIRY
from answerable.presentation.inventory_lists import format_time
from answerable.server.advisory import shared_uid
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import remote_signing
from answerable.web.routing import (
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.signing_action import SigningAction
from answerable.web.signing_actions import ACTION_FIELDS, build_action
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MAX_KEYS = 4  # keys of one person that a statement is put together for
_TIMES = ("until", "expires", "signed_at")
_SPECIAL_VALUES = {
    ("arguments", ANY_ARGUMENTS): "any",
    ("arguments", NO_ARGUMENTS): "none at all",
    ("until", NO_EXPIRY): "it is taken back",
}


@dataclass(frozen=True, slots=True)
class StatementDraft:
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


def show_statement(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Show the statement to sign; nothing is recorded."""
    act = build_action(desk, visit, asked.query)
    values = {
        "act": act,
        "drafts": [] if act.second_step else build_drafts(desk, visit, act),
        "fields": {
            name: asked.query[name] for name in ACTION_FIELDS if name in asked.query
        },
        "type": signed_statements.PAYLOAD_TYPE,
        "minutes": remote_signing.SIGNING_WINDOW // (60 * 10**9),
        "advisory": shared_uid(desk.current_view().inventory, act.subject, desk.config),
    }
    return PageAnswer("sign.html", "Sign", values)


def build_drafts(
    desk: StoreCache, visit: Visitor, act: SigningAction
) -> list[StatementDraft]:
    """Build the statement of an action for each key of the visitor."""
    now = desk.now
    with desk.open_store() as store:
        return [
            _build_draft(
                remote_signing.prepare_statement(
                    lambda who: act.tell(store, who, now), key.id
                )
            )
            for key in valid_keys(store, visit, now)[:_MAX_KEYS]
        ]


def submit_signature(
    desk: StoreCache, visit: Visitor, asked: RouteRequest
) -> RouteAnswer:
    """Record a signature, if it is the visitor's over the shown statement."""
    act = build_action(desk, visit, asked.form)
    envelope = asked.form.get("envelope", "").encode()
    record_signature(desk, visit, act, envelope)
    return Redirect(act.back, act.said)


def record_signature(
    desk: StoreCache, visit: Visitor, act: SigningAction, envelope: bytes
) -> None:
    """Record an action with the visitor's signed statement.

    Raises:
        VerificationError: The statement is invalid, or another person signed it.
    """
    now = desk.now
    with desk.open_store() as store:
        own = {key.id for key in valid_keys(store, visit, now)}
        key = signed_statements.decode_statement(envelope)[1].key
        if key not in own:
            raise VerificationError(
                "this was not signed with a key of yours that counts now",
                "see your keys: /keys",
            )
        remote_signing.submit_statement(
            store, lambda who: act.tell(store, who, now), envelope, now
        )


def valid_keys(store: EvidenceStore, visit: Visitor, now: int) -> list[OwnerKey]:
    """Return the visitor's valid keys, newest first."""
    if visit.person is None or WebPermission.OWN not in visit.may:
        return []
    owners = AttestedOwnerReader(store)
    owners.read(now)
    person = owners.canonical_person(visit.person)
    own = [
        key
        for key in owner_keys.read_owner_keys(store).values()
        if owners.canonical_person(key.person) == person
        and owner_keys.key_state(key, now) == "valid"
    ]
    return sorted(own, key=lambda key: key.enrolled[-1][0].index, reverse=True)


def _build_draft(said: OwnerStatement) -> StatementDraft:
    data = signed_statements.encode_payload(said)
    lines = [
        ("type", said.type.value),
        ("subject", said.subject),
        *said.claims,
        ("signed_at", str(said.signed_at)),
        ("key", said.key),
        ("store", said.store),
    ]
    return StatementDraft(
        said.key,
        b64encode(data).decode(),
        data.decode(),
        tuple(
            (name.replace("_", " "), _format_claim(name, value))
            for name, value in lines
        ),
    )


def _format_claim(name: str, value: str) -> str:
    if (name, value) in _SPECIAL_VALUES:
        return _SPECIAL_VALUES[name, value]
    if name in _TIMES and value.isascii() and value.isdecimal():
        return format_time(int(value))
    return value or "none"


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/sign", show_statement, frozenset({WebPermission.OWN}), ACTION_FIELDS),
    WebRoute(
        "/sign",
        submit_signature,
        frozenset({WebPermission.OWN}),
        (*ACTION_FIELDS, "envelope"),
        "POST",
    ),
)
