"""`/person/merge` and `/person/split`: state without a signature that ids are one person."""

from answerable.model.ids import PersonId
from answerable.model.person import PersonMerge
from answerable.model.provenance import WrittenBy
from answerable.usecases.inventory.merge_persons import record_merge
from answerable.web.pages.bulk_ownership import REQUEST_PERMISSIONS
from answerable.web.pages.cases import get_author
from answerable.web.routing import Redirect, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor


def merge_persons(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Record that two ids are one person; self-reported, for lists only."""
    merge = _record(cache, visitor, request, merged=True)
    return Redirect(
        build_url("/person", id=merge.person),
        f"Recorded as self-reported: {merge.person} and {merge.other} are one person.",
    )


def split_persons(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """End a self-reported merge of two ids."""
    merge = _record(cache, visitor, request, merged=False)
    return Redirect(
        build_url("/person", id=merge.person),
        f"Recorded: {merge.person} and {merge.other} are two persons.",
    )


def _record(
    cache: StoreCache, visitor: Visitor, request: RouteRequest, *, merged: bool
) -> PersonMerge:
    """Record a merge, or the end of one, with its author."""
    draft = PersonMerge(
        PersonId(request.form.get("person", "")),
        PersonId(request.form.get("other", "")),
        get_author(visitor),
        WrittenBy.SELF_REPORTED,
        cache.now,
        merged,
    )
    with cache.open_store() as store:
        return record_merge(store, cache.current_view().inventory, draft, now=cache.now)


_FIELDS = ("person", "other")
ROUTES: tuple[WebRoute, ...] = (
    WebRoute(
        "/person/merge",
        merge_persons,
        REQUEST_PERMISSIONS,
        _FIELDS,
        "POST",
        labels={"other": "other name"},
    ),
    WebRoute("/person/split", split_persons, REQUEST_PERMISSIONS, _FIELDS, "POST"),
)
