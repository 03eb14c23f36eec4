"""`/owners`: attest several entities at once, or ask a person to attest them.

Each statement and each request is recorded singly. One that fails is named, stays
selected, and does not affect the others.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

from answerable.evidence import signed_statements
from answerable.model.documents.web import BulkResultItem, OwnerRequestItem
from answerable.model.errors import AnswerableError, UsageError
from answerable.model.ids import PersonId
from answerable.services.inventory.owner_requests import OwnerRequest
from answerable.usecases.evidence import remote_signing
from answerable.usecases.inventory import request_owners
from answerable.web.pages import inventory_list_definitions
from answerable.web.pages.cases import get_author
from answerable.web.pages.signing import (
    StatementDraft,
    build_drafts,
    record_signature,
)
from answerable.web.routing import (
    Forbidden,
    PageAnswer,
    Redirect,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.signable_actions import build_action
from answerable.web.signing_action import SigningAction
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

REQUEST_PERMISSIONS = frozenset(
    {WebPermission.OWN, WebPermission.INVESTIGATE, WebPermission.ADMINISTER}
)
MAX_SELECTED = 50  # rows of one page of a list
PICKS = tuple(f"id{number}" for number in range(MAX_SELECTED))
MAX_LISTED = 200  # requests on the page
_MAX_NAMED = 5  # failures that a confirmation names
_NOT_YOURS = "it does not exist, or another person is its attested owner"
_EVERYONE = frozenset({WebPermission.INVESTIGATE, WebPermission.ADMINISTER})


@dataclass(frozen=True, slots=True)
class SelectedEntity:
    """Entity that a visitor selected.

    Attributes:
        owner: Item of its owner, empty if it is not known.
        asked: Persons who are asked to attest it.
        drafts: Its unsigned attestation, for each key of the visitor.
        action: The attestation; None if the visitor cannot sign it.
        refusal: Why the visitor cannot sign it; empty if they can.
    """

    id: str
    owner: Mapping[str, object]
    asked: tuple[str, ...]
    drafts: Sequence[StatementDraft] = ()
    action: SigningAction | None = None
    refusal: str = ""


def show_selection(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show the selected entities with their statements, or the open requests."""
    ids = list(dict.fromkeys(request.query[n] for n in PICKS if n in request.query))
    requests = list_visible_requests(cache, visitor)
    asked: dict[str, list[str]] = {}
    for each in requests:
        if each["state"] == "open":
            asked.setdefault(each["subject"], []).append(each["person"])
    selected = [
        _select_entity(cache, visitor, each, tuple(asked.get(each, ()))) for each in ids
    ]
    signs = WebPermission.OWN in visitor.may and visitor.person is not None
    waiting = [each for each in requests if each["state"] != "answered"]
    values = {
        "selected": selected,
        "signs": signs,
        "signable": [each for each in selected if each.action is not None],
        "has_drafts": any(each.drafts for each in selected),
        "requests": waiting[:MAX_LISTED],
        "total": len(waiting),
        "answered": len(requests) - len(waiting),
        "suggested": _suggest_persons(selected),
        "type": signed_statements.PAYLOAD_TYPE,
        "minutes": remote_signing.SIGNING_WINDOW // (60 * 10**9),
        "coverage": inventory_list_definitions.build_coverage_document(cache).coverage,
    }
    return PageAnswer("owners.html", "Owners", values)


def list_visible_requests(
    cache: StoreCache, visitor: Visitor
) -> Sequence[OwnerRequestItem]:
    """List the requests that a visitor may see: owners see those by or to them."""
    if not REQUEST_PERMISSIONS & visitor.may:
        return ()
    sees_all = bool(_EVERYONE & visitor.may)
    if not sees_all and visitor.person is None:
        return ()
    with cache.open_store() as store:
        document = request_owners.list_owner_requests(
            store,
            cache.current_view().inventory,
            now=cache.now,
            person="" if sees_all else str(visitor.person),
        )
    return cast("Sequence[OwnerRequestItem]", document.items)


def list_requests_to(cache: StoreCache, visitor: Visitor) -> Sequence[OwnerRequestItem]:
    """List the open requests to the visitor."""
    if visitor.person is None or WebPermission.OWN not in visitor.may:
        return ()
    with cache.open_store() as store:
        document = request_owners.list_owner_requests(
            store,
            cache.current_view().inventory,
            now=cache.now,
            person=visitor.person,
            received=True,
        )
    items = cast("Sequence[OwnerRequestItem]", document.items)
    return [each for each in items if each["state"] == "open"]


def sign_attestations(
    cache: StoreCache, visitor: Visitor, ids: Sequence[str], envelopes: Sequence[str]
) -> list[BulkResultItem]:
    """Record a signed attestation for each entity, each singly.

    Raises:
        UsageError: There is not one envelope for each entity.
    """
    if not ids or len(ids) != len(envelopes):
        raise UsageError(
            f"{len(envelopes)} signatures for {len(ids)} entities (expected one each)",
            "open the page again, and sign",
        )
    signed = dict(zip(ids, envelopes, strict=True))

    def record(subject: str) -> str:
        action = build_attestation(cache, visitor, subject)
        record_signature(cache, visitor, action, signed[subject].encode())
        return action.confirmation

    return request_owners.run_for_each(ids, record)


def build_attestation(
    cache: StoreCache, visitor: Visitor, subject: str
) -> SigningAction:
    """Build the attestation of one entity.

    Raises:
        UsageError: The visitor may not sign it, or it does not exist.
    """
    try:
        return build_action(cache, visitor, {"act": "attest", "id": subject})
    except Forbidden:
        raise UsageError(_NOT_YOURS) from None


def ask_person(
    cache: StoreCache, visitor: Visitor, ids: Sequence[str], fields: Mapping[str, str]
) -> list[BulkResultItem]:
    """Ask a person to attest entities; each request is recorded singly.

    Args:
        fields: `person` and `note`.
    """
    draft = OwnerRequest(
        "",
        PersonId(fields.get("person", "")),
        get_author(visitor),
        visitor.person or "",
        cache.now,
        fields.get("note", ""),
    )
    with cache.open_store() as store:
        return request_owners.request_owners(
            store, cache.current_view().inventory, ids, draft
        )


def read_selected(fields: Mapping[str, str], name: str = "ids") -> list[str]:
    """Read the selected ids, one per line.

    Raises:
        UsageError: There are none, or too many.
    """
    ids = [line.strip() for line in fields.get(name, "").splitlines() if line.strip()]
    if not 0 < len(ids) <= MAX_SELECTED:
        raise UsageError(
            f"{len(ids)} entities are selected (expected 1 to {MAX_SELECTED})",
            "select them on the page of agents or identities",
        )
    return ids


def _sign_selection(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Record the attestations that the visitor signed in the browser."""
    ids = read_selected(request.form)
    results = sign_attestations(
        cache, visitor, ids, request.form.get("envelopes", "").splitlines()
    )
    return _redirect(results, lambda count: f"Signed: you own {count:,}.")


def _ask_selection(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Ask a person to attest the selected entities."""
    ids = read_selected(request.form)
    results = ask_person(cache, visitor, ids, request.form)
    person = request.form.get("person", "").strip().removeprefix("person:")
    return _redirect(results, lambda count: f"{person} is asked about {count:,}.")


def _redirect(
    results: Sequence[BulkResultItem], describe: Callable[[int], str]
) -> Redirect:
    """Return to the list of requests; the entities that failed stay selected."""
    text, failed = _describe_results(results, describe)
    picks = dict(zip(PICKS, failed, strict=False))
    return Redirect(build_url("/owners", **picks), text)


def _describe_results(
    results: Sequence[BulkResultItem], describe: Callable[[int], str]
) -> tuple[str, list[str]]:
    """Describe how many were recorded; name each that was not, and return their ids."""
    failed = [each for each in results if not each["recorded"]]
    done = len(results) - len(failed)
    text = describe(done) if done else ""
    if failed:
        named = "; ".join(f"{e['id']}: {e['said']}" for e in failed[:_MAX_NAMED])
        more = len(failed) - _MAX_NAMED
        text += f" Not recorded: {named}" + (f" And {more:,} more." if more > 0 else "")
    return text.strip(), [each["id"] for each in failed]


def _select_entity(
    cache: StoreCache, visitor: Visitor, subject: str, asked: tuple[str, ...]
) -> SelectedEntity:
    """Build a selected entity with its drafts, or the reason why it has none."""
    inventory = inventory_list_definitions.get_current_inventory(cache)
    if subject not in inventory.agents and subject not in inventory.owners:
        return SelectedEntity(subject, {}, asked, refusal="no scan contains it")
    owner = inventory_list_definitions.get_owner_item(inventory.owners, subject)
    try:
        action = build_attestation(cache, visitor, subject)
        drafts = build_drafts(cache, visitor, action)
    except AnswerableError as error:
        return SelectedEntity(subject, dict(owner), asked, refusal=error.message)
    return SelectedEntity(subject, dict(owner), asked, drafts, action)


def _suggest_persons(selected: Sequence[SelectedEntity]) -> list[str]:
    """List the persons that current evidence names for the entities."""
    named = [str(each.owner.get("person") or "") for each in selected]
    return sorted({each for each in named if each})


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/owners", show_selection, REQUEST_PERMISSIONS, PICKS),
    WebRoute(
        "/owners/sign",
        _sign_selection,
        frozenset({WebPermission.OWN}),
        ("ids", "envelopes"),
        "POST",
    ),
    WebRoute(
        "/owners/ask",
        _ask_selection,
        REQUEST_PERMISSIONS,
        ("ids", "person", "note"),
        "POST",
        labels={"person": "person", "note": "note"},
    ),
)
