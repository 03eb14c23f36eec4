"""Page of one finding, and the definition of the list of findings.

Findings tell how often an identity was used: only those who may see everyone's activity
see them.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import NamedTuple, cast

from answerable.model.documents.finding import FindingItem
from answerable.posture.rule_catalogue import RULES_BY_ID
from answerable.usecases.posture.list_findings import list_findings
from answerable.web.http.errors import build_not_found_error
from answerable.web.paged_list import ListDefinition, ListFacet, PagedList
from answerable.web.pages import inventory_list_definitions
from answerable.web.pages.cases import list_open_cases
from answerable.web.routing import PageAnswer, RouteAnswer, RouteRequest, WebRoute
from answerable.web.store_cache import StoreCache
from answerable.web.store_view import FINDINGS, StoreView
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

FINDING_PERMISSIONS = frozenset({WebPermission.INVESTIGATE})
REVIEW_SPANS = ("7d", "30d", "90d")  # for which a finding can be accepted here
SEVERITIES = ("critical", "high", "medium", "low", "not-known")
STATES = ("open", "suppressed", "not-evaluated")
_MAX_SHARED = 50
_MAX_WORST = 3
_INLINE_IDENTITIES = 2_000  # identities up to which a page waits for the findings


@dataclass(frozen=True, slots=True)
class FindingRowActions:
    """Links from the rows of findings to the decisions of a visitor on each."""

    visitor: Visitor
    asks = False  # rows are not selected

    @property
    def exist(self) -> bool:
        """Return whether the visitor may decide on findings."""
        return WebPermission.OWN in self.visitor.may and self.visitor.person is not None

    def list_links(self, item: FindingItem) -> list[tuple[str, str]]:
        """List label and URL of each decision on a finding."""
        if item["state"] == "not-evaluated":
            return []
        page = f"{build_url('/finding', id=item['id'])}#review"
        first = "reopen" if item["state"] == "suppressed" else "accept"
        return [(first, page), ("assign", page)]


FINDING_LIST: ListDefinition[FindingItem] = ListDefinition(
    key=lambda item: item["id"],
    facets=(
        ListFacet("severity", "severity", lambda item: item["severity"], SEVERITIES),
        ListFacet("state", "state", lambda item: item["state"], STATES),
        ListFacet("rule", "rule", lambda item: item["rule"], tuple(RULES_BY_ID)),
        ListFacet(
            "platform", "platform", lambda item: tuple(item["platform"].split(", "))
        ),
        ListFacet(
            "owner-state",
            "owner",
            lambda item: item["owner"]["state"],
            inventory_list_definitions.OWNER_STATES,
        ),
    ),
    orders=inventory_list_definitions.list_sort_orders("findings"),
    words=lambda item: chain(
        (item["title"], item["subject"], item["owner"]["person"] or "", item["place"]),
        (item["rule"], item["id"]),
    ),
)


def findings(cache: StoreCache) -> PagedList[FindingItem]:
    """Build the list of findings, and of rules that could not be evaluated."""

    def build_list(view: StoreView) -> PagedList[FindingItem]:
        limits = cache.read_argument_limits()
        with cache.open_store() as store:
            found = list_findings(
                store,
                view.inventory,
                now=view.at,
                argument_limits=limits,
                loaded_chains=view.chains,
            )
            items = list(cast("Iterable[FindingItem]", found.items))
        # The order of the command also decides between equal scores.
        ranks = {item["id"]: float(at) for at, item in enumerate(items)}
        orders = {**FINDING_LIST.orders, "severity": lambda item: ranks[item["id"]]}
        return PagedList(replace(FINDING_LIST, orders=orders), items)

    return cache.get_derived(FINDINGS, build_list)


def get_findings_or_start(cache: StoreCache) -> PagedList[FindingItem] | None:
    """Return the findings, or those before the last change; None if there are none yet.

    The first computation in a large inventory, and every later one, runs in the
    background.
    """
    view = cache.current_view()
    is_small = len(view.inventory.facts.identities_by_id()) <= _INLINE_IDENTITIES
    if view.has_derived(FINDINGS):
        return findings(cache)
    listed = cache.get_newest(FINDINGS, PagedList)
    if listed is None and is_small:
        return findings(cache)
    cache.start_in_background("findings", _compute_for_pages)
    return listed


def _compute_for_pages(cache: StoreCache) -> None:
    """Compute the findings, their order and counts, so that no page waits for these."""
    findings(cache)
    select_worst_findings(cache)


def get_shown_findings(cache: StoreCache) -> PagedList[FindingItem]:
    """Return the findings that pages show; in a large inventory the newest computed ones.

    Only the first page after a start waits for them.
    """
    view = cache.current_view()
    if len(view.inventory.facts.identities_by_id()) <= _INLINE_IDENTITIES:
        return findings(cache)
    return get_findings_or_start(cache) or findings(cache)


def are_findings_current(cache: StoreCache) -> bool:
    """Return whether the shown findings are those of the current data."""
    return cache.current_view().has_derived(FINDINGS)


class WorstFinding(NamedTuple):
    """Most severe open finding of a rule, with the number of its other open findings."""

    item: FindingItem
    others: int


class WorstFindings(NamedTuple):
    """Most severe open findings, each of another rule.

    Attributes:
        is_computed: Whether the findings are computed yet.
        total: Number of open findings.
        not_evaluated: Number of rules that could not be evaluated.
    """

    items: Sequence[WorstFinding]
    is_computed: bool
    total: int
    not_evaluated: int


def select_worst_findings(cache: StoreCache) -> WorstFindings:
    """Select the most severe open findings of different rules."""
    listing = get_findings_or_start(cache)
    if listing is None:
        return WorstFindings((), False, 0, 0)
    by_rule: dict[str, FindingItem] = {}
    for item in listing.iterate_rows({"state": "open"}, "severity"):
        by_rule.setdefault(item["rule"], item)
        if len(by_rule) == _MAX_WORST:
            break
    worst = [
        WorstFinding(item, listing.count_matching({"state": "open", "rule": rule}) - 1)
        for rule, item in by_rule.items()
    ]
    states = listing.counts["state"]
    return WorstFindings(worst, True, states["open"], states["not-evaluated"])


def show_finding(
    cache: StoreCache, visitor: Visitor, request: RouteRequest
) -> RouteAnswer:
    """Show one finding: evidence, path, repair, and the use that the repair would end."""
    key = request.query.get("id", "")
    listing = get_shown_findings(cache)
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
    reviews = WebPermission.OWN in visitor.may and visitor.person is not None
    values = {
        "item": item,
        "reviews": REVIEW_SPANS if reviews and item["state"] != "not-evaluated" else (),
        "shared": shared[:_MAX_SHARED],
        "is_current": are_findings_current(cache),
        "cases": list_open_cases(cache, visitor),
        "coverage": inventory_list_definitions.build_coverage_document(
            cache, "findings"
        ).coverage,
    }
    return PageAnswer("finding.html", item["title"], values)


ROUTES: tuple[WebRoute, ...] = (
    WebRoute("/finding", show_finding, FINDING_PERMISSIONS, ("id",)),
)
