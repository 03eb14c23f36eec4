"""Page of one finding, and the definition of the list of findings.

Findings tell how often an identity was used: only those who may see everyone's activity
see them.
"""

from collections.abc import Iterable
from itertools import chain
from typing import cast

from answerable.model.documents.finding import FindingItem
from answerable.usecases.posture.list_findings import list_findings
from answerable.web.http.errors import build_not_found_error
from answerable.web.paged_list import ListDefinition, ListFacet, PagedList
from answerable.web.pages import inventory_list_definitions
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import StoreView
from answerable.web.visitor import Visitor, WebPermission

FINDING_PERMISSIONS = frozenset({WebPermission.INVESTIGATE})
_STATES = ("open", "suppressed", "not-evaluated")
_SEVERITIES = ("critical", "high", "medium", "low", "not-known")
_MAX_SCORE = 1_000
_MAX_SHARED = 50


def get_gravity_order(item: FindingItem) -> float:
    """Return a number that sorts open findings first, the gravest of them on top."""
    state, severity = _STATES.index(item["state"]), _SEVERITIES.index(item["severity"])
    return (state * len(_SEVERITIES) + severity) * _MAX_SCORE - item["score"]


FINDING_LIST: ListDefinition[FindingItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet("severity", "severity", lambda item: item["severity"]),
        ListFacet("state", "state", lambda item: item["state"]),
        ListFacet("rule", "rule", lambda item: item["rule"]),
        ListFacet("platform", "platform", lambda item: item["platform"]),
        ListFacet("owner-state", "owner", lambda item: item["owner"]["state"]),
    ),
    orders={
        "severity": get_gravity_order,
        **{
            name: order
            for name, order in inventory_list_definitions.list_sort_orders(
                "findings"
            ).items()
            if name != "severity"
        },
    },
    words=lambda item: chain(
        (item["title"], item["subject"], item["owner"]["person"] or "", item["place"]),
        (item["rule"], item["id"]),
    ),
)


def findings(cache: StoreCache) -> PagedList[FindingItem]:
    """Build the list of findings, and of rules that could not be evaluated."""

    def build_list(view: StoreView) -> PagedList[FindingItem]:
        with cache.open_store() as store:
            found = list_findings(store, view.inventory, now=view.at)
            items = cast("Iterable[FindingItem]", found.items)
            return PagedList(FINDING_LIST, list(items))

    return cache.get_derived("findings", build_list)


def show_finding(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one finding: evidence, path, repair, and the use that the repair would end."""
    key = request.query.get("id", "")
    listing = findings(cache)
    item = listing.by_key.get(key)
    if item is None:
        raise build_not_found_error()
    cause = item["choke_point"]
    shared = (
        [
            each
            for each in listing.items
            if each["choke_point"] is not None
            and each["choke_point"]["id"] == cause["id"]
            and each["id"] != key
        ]
        if cause is not None
        else []
    )
    values = {
        "item": item,
        "shared": shared[:_MAX_SHARED],
        "coverage": inventory_list_definitions.build_coverage_document(
            cache, "findings"
        ).coverage,
    }
    return PageAnswer("finding.html", item["title"], values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/finding", show_finding, FINDING_PERMISSIONS, ("id",)),
)
