"""`/sign`: show the statement to sign, and record the submitted signature."""

from base64 import b64encode, urlsafe_b64encode
from dataclasses import dataclass

from answerable.evidence import signed_statements
from answerable.model.errors import VerificationError
from answerable.model.owner_signing_key import OwnerKey, OwnerStatement
from answerable.model.policy_exception import ANY_ARGUMENTS, NO_ARGUMENTS, NO_EXPIRY
from answerable.presentation.answer_coverage import format_time
from answerable.server.shared_user_check import check_shared_user
from answerable.services.statements import owner_keys
from answerable.services.statements.attested_owners import open_owner_reader
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence import remote_signing
from answerable.web.call_changes import draw_call_changes
from answerable.web.routing import (
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.signable_actions import ACTION_FIELDS, build_action
from answerable.web.signing_action import SigningAction
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_MAX_KEYS = 4  # keys of one person that get a statement
_TIMES = ("until", "expires", "signed_at")
_SPECIAL_VALUES = {
    ("arguments", ANY_ARGUMENTS): "any",
    ("arguments", NO_ARGUMENTS): "none at all",
    ("until", NO_EXPIRY): "the statement is withdrawn",
}


@dataclass(frozen=True, slots=True)
class StatementDraft:
    """An unsigned statement.

    Attributes:
        key: Id of the signing key.
        credential: Credential id of a security key, base64url; empty for others.
        origin: Web origin at which a security key signs; empty for others.
        payload: The bytes to sign, base64.
        text: The payload as text.
        lines: Its claims as label and value.
    """

    key: str
    payload: str
    text: str
    lines: tuple[tuple[str, str], ...]
    credential: str = ""
    origin: str = ""


def show_statement(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the statement to sign; this records nothing."""
    action = build_action(cache, visitor, request.query)
    values = {
        "act": action,
        "drafts": [] if action.second_step else build_drafts(cache, visitor, action),
        "drawing": draw_call_changes(cache, visitor, action.changes),
        "fields": {
            name: request.query[name] for name in ACTION_FIELDS if name in request.query
        },
        "type": signed_statements.PAYLOAD_TYPE,
        "minutes": remote_signing.SIGNING_WINDOW // (60 * 10**9),
        "advisory": check_shared_user(
            cache.current_view().inventory, action.subject, cache.config
        ),
    }
    return PageAnswer("sign.html", "Sign", values)


def build_drafts(
    cache: StoreCache, visitor: Visitor, action: SigningAction
) -> list[StatementDraft]:
    """Build the unsigned statement of an action for each key of the visitor."""
    now = cache.now
    with cache.open_store() as store:
        return [
            _build_draft(
                remote_signing.prepare_statement(
                    lambda signer: action.execute(store, signer, now), key.id
                ),
                key,
            )
            for key in list_valid_keys(store, visitor, now)[:_MAX_KEYS]
        ]


def submit_signature(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Record a statement that the visitor signed in the browser."""
    action = build_action(cache, visitor, request.form)
    envelope = request.form.get("envelope", "").encode()
    record_signature(cache, visitor, action, envelope)
    return Redirect(action.back, action.confirmation)


def record_signature(
    cache: StoreCache, visitor: Visitor, action: SigningAction, envelope: bytes
) -> None:
    """Record an action with the visitor's signed statement.

    Raises:
        VerificationError: The statement is invalid, or another person signed it.
    """
    now = cache.now
    with cache.open_store() as store:
        own = {key.id: key for key in list_valid_keys(store, visitor, now)}
        key = own.get(signed_statements.decode_statement(envelope)[1].key)
        if key is None:
            raise VerificationError(
                "the statement was not signed with one of your valid keys",
                "your keys are listed at /keys",
            )
        cache.signature_counters.require_new_signature(key, envelope)
        remote_signing.submit_statement(
            store, lambda signer: action.execute(store, signer, now), envelope, now
        )


def list_valid_keys(store: EvidenceStore, visitor: Visitor, now: int) -> list[OwnerKey]:
    """Return the valid keys of the visitor, newest first."""
    if visitor.person is None or WebPermission.OWN not in visitor.may:
        return []
    owners = open_owner_reader(store)
    owners.read(now)
    person = owners.canonical_person(visitor.person)
    own = [
        key
        for key in owner_keys.read_owner_keys(store).values()
        if owners.canonical_person(key.person) == person
        and owner_keys.get_owner_key_state(key, now) == "valid"
    ]
    return sorted(own, key=lambda key: key.enrolled[-1][0].index, reverse=True)


def _build_draft(statement: OwnerStatement, key: OwnerKey) -> StatementDraft:
    """Encode a statement and format its claims for display."""
    data, credential = signed_statements.encode_payload(statement), key.webauthn
    lines = [
        ("type", statement.type.value),
        ("subject", statement.subject),
        *statement.claims,
        ("signed_at", str(statement.signed_at)),
        ("key", statement.key),
        ("store", statement.store),
    ]
    return StatementDraft(
        statement.key,
        b64encode(data).decode(),
        data.decode(),
        tuple(
            (name.replace("_", " "), _format_claim(name, value))
            for name, value in lines
        ),
        urlsafe_b64encode(credential.id).decode().rstrip("=") if credential else "",
        credential.origin if credential else "",
    )


def _format_claim(name: str, value: str) -> str:
    """Format a claim: times as RFC 3339, special values as words."""
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
