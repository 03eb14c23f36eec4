"""Build the signing actions that state that two ids are one person, or end that."""

from typing import TYPE_CHECKING

from answerable.model.ids import PersonId
from answerable.model.person import PersonMerge
from answerable.model.provenance import WrittenBy
from answerable.usecases.inventory.merge_persons import resolve_merge, sign_merge
from answerable.web.routing import Forbidden
from answerable.web.signing_action import ActionFields, SigningAction
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

if TYPE_CHECKING:
    from answerable.web.store_cache import StoreCache

NO_EFFECT = (
    "Lists show them as one person, and name you as the author. Owners, keys and "
    "permissions stay those of each id."
)


def build_person_merge(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that states that two ids are one person."""
    merge = _resolve_merge(cache, visitor, fields, merged=True)
    return _build_action(
        cache,
        merge,
        f"You state that {merge.person} and {merge.other} are one person",
        (NO_EFFECT, "A signature can end this."),
    )


def build_person_split(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields
) -> SigningAction:
    """Build the action that ends a merge of two ids."""
    merge = _resolve_merge(cache, visitor, fields, merged=False)
    return _build_action(
        cache,
        merge,
        f"You state that {merge.person} and {merge.other} are two persons",
        ("Lists show them as two persons again.",),
    )


def _resolve_merge(
    cache: "StoreCache", visitor: Visitor, fields: ActionFields, *, merged: bool
) -> PersonMerge:
    """Return the merge that the fields name.

    Raises:
        Forbidden: The visitor has no name, or may not sign.
        UsageError: An id names no known person.
    """
    if visitor.person is None or WebPermission.OWN not in visitor.may:
        raise Forbidden
    draft = PersonMerge(
        PersonId(fields.get("id") or fields.get("person", "")),
        PersonId(fields.get("other", "")),
        visitor.person,
        WrittenBy.PERSON,
        cache.now,
        merged,
    )
    with cache.open_store() as store:
        return resolve_merge(
            store, cache.current_view().inventory, draft, now=cache.now
        )


def _build_action(
    cache: "StoreCache", merge: PersonMerge, title: str, follows: tuple[str, ...]
) -> SigningAction:
    """Build the action that signs a merge, or the end of one."""
    return SigningAction(
        title=title,
        follows=follows,
        subject=merge.person,
        execute=lambda store, signer, now: sign_merge(
            store, cache.current_view().inventory, merge, signer, now=now
        ),
        command="",
        back=build_url("/person", id=merge.person),
        confirmation=title.replace("You state that", "Signed:", 1) + ".",
    )
