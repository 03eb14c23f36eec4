"""List pages of agents, identities, credentials, tools and people, with CSV export."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from answerable.model.documents.shared_shapes import Document
from answerable.presentation.serialization import to_csv, to_json
from answerable.web.paged_list import ListQuery, PagedList
from answerable.web.pages import (
    finding_trend,
    findings,
    inventory_list_definitions,
)
from answerable.web.pages.revocations import load_row_actions
from answerable.web.routing import (
    FileDownload,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor, WebPermission

_EXPORT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_SCAN_COMMAND = "answerable scan"
_ACTION_KINDS = ("agents", "identities")


@dataclass(frozen=True, slots=True)
class _InventoryListPage:
    """One list page.

    Attributes:
        kind: Kind of the documents, and path.
        facets: Names of its facets.
        empty: Hint and command for an empty list.
        permissions: Permissions, any of which suffices.
    """

    kind: str
    title: str
    made: Callable[[StoreCache], PagedList[Any]]
    facets: tuple[str, ...]
    empty: tuple[str, str]
    permissions: frozenset[WebPermission] = frozenset({WebPermission.LOOK})

    def __call__(
        self, cache: StoreCache, visitor: Visitor, request: RouteRequest
    ) -> RouteAnswer:
        """Answer with the list page, or with all matching rows as CSV or JSON."""
        listing = self.made(cache)
        query = request.query
        list_query = ListQuery(
            search=query.get("q", ""),
            only={name: query.get(name, "") for name in self.facets},
            order=query.get("sort", ""),
            after=query.get("after", ""),
            before=query.get("before", ""),
        )
        export_format = query.get("as", "")
        if export_format in _EXPORT_TYPES:
            return self._export_file(cache, listing, list_query, export_format)
        shown = listing.get_page(list_query)
        complete = inventory_list_definitions.is_list_complete(cache, self.kind)
        kept = {n: v for n, v in query.items() if n not in ("after", "before", "as")}
        path = f"/{self.kind}"
        values = {
            "kind": self.kind,
            "heading": self.title,
            "columns": inventory_list_definitions.list_html_columns(self.kind),
            "rows": shown.rows,
            "total": shown.total,
            "complete": complete,
            "all": inventory_list_definitions.count_or_none_if_unscanned(
                cache, self.kind, len(listing.items)
            ),
            "older": shown.older and build_url(path, **{**kept, "after": shown.older}),
            "newer": shown.newer and build_url(path, **{**kept, "before": shown.newer}),
            "facets": [
                (facet, sorted(listing.counts[facet.name].items()))
                for facet in listing.shape.facets
            ],
            "wanted": list_query,
            "sort": _build_sort_links(
                path, kept, list_query.order, next(iter(listing.shape.orders))
            ),
            "files": {f: build_url(path, **{**kept, "as": f}) for f in _EXPORT_TYPES},
            "fill": self.empty,
            **_build_kind_values(self.kind, cache, visitor),
            "coverage": inventory_list_definitions.build_coverage_document(
                cache,
                self.kind,
                has_items=bool(listing.items) and self.kind != "findings",
            ).coverage,
        }
        return PageAnswer("list.html", self.title, values)

    def _export_file(
        self,
        cache: StoreCache,
        listing: PagedList[Any],
        list_query: ListQuery,
        export_format: str,
    ) -> FileDownload:
        """Return all matching rows as a CSV or JSON file."""
        document = Document(
            self.kind,
            listing.all_rows(list_query),
            inventory_list_definitions.build_coverage_document(
                cache,
                self.kind,
                has_items=bool(listing.items) and self.kind != "findings",
            ).coverage,
        )
        if export_format == "csv":
            text = "".join(f"{line}\r\n" for line in to_csv(document))
        else:
            text = to_json(document)
        return FileDownload(
            f"{self.kind}.{export_format}", _EXPORT_TYPES[export_format], text.encode()
        )


def _build_kind_values(
    kind: str, cache: StoreCache, visitor: Visitor
) -> Mapping[str, object]:
    """Return the actions on the rows of a list, and trend and ages of the findings."""
    plain = {"actions": None, "trend": None, "ages": None, "is_current": True}
    if kind in _ACTION_KINDS:
        return {**plain, "actions": load_row_actions(cache, visitor)}
    if kind == "findings":
        return {
            "actions": findings.FindingRowActions(visitor),
            "trend": finding_trend.summarize_trend(cache),
            "ages": finding_trend.read_ages(cache),
            "is_current": findings.are_findings_current(cache),
        }
    return plain


def _build_sort_links(
    path: str, query: Mapping[str, str], current_order: str, default_order: str
) -> Callable[[str], tuple[str, str]]:
    """Return a function that gives the sort link and ARIA state of a column."""

    def build_link(name: str) -> tuple[str, str]:
        current = (current_order or default_order).removeprefix("-") == name
        descending = current_order.startswith("-")
        next_order = f"-{name}" if current and not descending else name
        state = ("descending" if descending else "ascending") if current else ""
        return build_url(path, **{**query, "sort": next_order}), state

    return build_link


_LIST_PAGES = (
    _InventoryListPage(
        "agents",
        "Agents",
        inventory_list_definitions.agents,
        ("owner-state", "kind", "runs"),
        (
            "A scan of a home directory and of repositories finds their agents.",
            _SCAN_COMMAND,
        ),
    ),
    _InventoryListPage(
        "identities",
        "Identities",
        inventory_list_definitions.identities,
        ("owner-state", "kind", "agents"),
        ("A scan of an account finds its roles and users.", f"{_SCAN_COMMAND} aws:"),
    ),
    _InventoryListPage(
        "credentials",
        "Credentials",
        inventory_list_definitions.credentials,
        ("owner-state", "kind", "lifetime", "held", "age"),
        (
            "A scan of a home directory finds credentials and their locations, "
            "never values.",
            _SCAN_COMMAND,
        ),
    ),
    _InventoryListPage(
        "tools",
        "Tools",
        inventory_list_definitions.tools,
        ("kind", "runs", "owner-state"),
        ("A scan finds the tools of agents.", _SCAN_COMMAND),
    ),
    _InventoryListPage(
        "people",
        "People",
        inventory_list_definitions.people,
        ("kind", "here", "owns"),
        (
            "People are found as owners in tags, files and commit histories.",
            _SCAN_COMMAND,
        ),
    ),
    _InventoryListPage(
        "findings",
        "Findings",
        findings.get_shown_findings,
        ("severity", "state", "rule", "platform", "owner-state"),
        ("A scan lets the rules be evaluated.", _SCAN_COMMAND),
        permissions=findings.FINDING_PERMISSIONS,
    ),
)

ROUTES: tuple[WebRoute, ...] = tuple(
    WebRoute(
        f"/{screen.kind}",
        screen,
        screen.permissions,
        parameters=("q", "sort", "after", "before", "as", *screen.facets),
    )
    for screen in _LIST_PAGES
)
