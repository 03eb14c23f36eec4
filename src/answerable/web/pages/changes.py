"""`/changes`: the differences between two scans, most severe first."""

from collections.abc import Sequence
from pathlib import Path
from typing import cast

from answerable.model.documents.difference import DifferenceItem
from answerable.model.documents.shared_shapes import Document
from answerable.model.errors import UsageError
from answerable.services.inventory.snapshots import list_snapshots
from answerable.services.posture.compared_sides import build_side_context, open_side
from answerable.usecases.posture.diff import compare_sides
from answerable.web.pages.findings import FINDING_PERMISSIONS
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

_MAX_ROWS = 200
_MAX_NAMED = 20  # snapshots that the form offers
_INLINE_IDENTITIES = 2_000  # identities up to which a page waits for a comparison
_DERIVED = "changes"
_COMMAND = "answerable diff"


def list_snapshot_names(cache: StoreCache) -> list[str]:
    """List the names of the snapshots, newest first."""
    with cache.open_store() as store:
        return [each.name for each in reversed(list_snapshots(store))]


def compare_snapshots(cache: StoreCache, before: str, after: str) -> Document | None:
    """Compare two snapshots, by default the newest two; None while that is computed.

    The comparison of the newest two is kept. In a large inventory it is computed in the
    background.

    Raises:
        UsageError: There is no such snapshot, or only one; or another pair of a large
            inventory is asked for.
    """
    names = list_snapshot_names(cache)
    for name in filter(None, (before, after)):
        if name not in names:
            raise UsageError(
                f"unknown snapshot (got {name[:80]!r})", "choose one of the list"
            )
    if len(names) < 2:
        raise UsageError(
            f"two scans are needed (got {len(names)})", "run: answerable scan"
        )
    newest = (names[1], names[0])
    pair = (before or newest[0], after or newest[1])
    view = cache.current_view()
    is_small = len(view.inventory.facts.identities_by_id()) <= _INLINE_IDENTITIES
    if pair != newest:
        if is_small:
            return _compare_snapshots(cache, view, pair)
        raise UsageError(
            "this inventory is too large to compare older scans on a page",
            f"{_COMMAND} @{pair[0]} @{pair[1]}",
        )
    if is_small or view.has_derived(_DERIVED):
        return cache.get_derived(
            _DERIVED, lambda view: _compare_snapshots(cache, view, None)
        )
    cache.start_in_background(
        _DERIVED,
        lambda cache: cache.get_derived(
            _DERIVED, lambda view: _compare_snapshots(cache, view, None)
        ),
    )
    return None


def _compare_snapshots(
    cache: StoreCache, view: StoreView, pair: tuple[str, str] | None
) -> Document:
    """Compare a pair of snapshots; without one the newest two."""
    if pair is None:
        names = list_snapshot_names(cache)
        pair = names[1], names[0]
    with cache.open_store() as store:
        context = build_side_context(
            lambda text: (store, text.removeprefix("@")),
            Path(),
            view.at,
            lambda _done, _total, _what: None,
        )
        before, after = (open_side(f"@{name}", context, "") for name in pair)
        return compare_sides(before, after, now=view.at)


def show_changes(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show what differs between two scans, with what cannot be compared last."""
    before, after = request.query.get("before", ""), request.query.get("after", "")
    kind = request.query.get("kind", "")
    document, problem = None, None
    try:
        document = compare_snapshots(cache, before, after)
    except UsageError as error:
        problem = error
    items = cast("Sequence[DifferenceItem]", document.items if document else ())
    kinds = sorted({item["kind"] for item in items})
    listed = [item for item in items if kind in ("", item["kind"])]
    names = list_snapshot_names(cache)[:_MAX_NAMED]
    values = {
        "names": names,
        "before": before or (names[1] if len(names) > 1 else ""),
        "after": after or (names[0] if names else ""),
        "kind": kind,
        "kinds": [
            (each, build_url("/changes", before=before, after=after, kind=each))
            for each in kinds
        ],
        "all": build_url("/changes", before=before, after=after),
        "items": listed[:_MAX_ROWS],
        "total": len(listed),
        "document": document,
        "problem": problem,
        "may_see_findings": bool(visitor.may & FINDING_PERMISSIONS),
        "coverage": document.coverage if document else None,
    }
    return PageAnswer("changes.html", "Changes", values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/changes", show_changes, parameters=("before", "after", "kind")),
)
