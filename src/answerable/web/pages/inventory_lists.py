"""Lists of agents, identities, credentials, tools and people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from answerable.model.documents.core import Document
from answerable.presentation.serialization import to_csv, to_json
from answerable.web.paged_list import ListQuery, PagedList
from answerable.web.pages import inventory_listings
from answerable.web.routing import (
    FileDownload,
    PageAnswer,
    RouteAnswer,
    RouteRequest,
    WebRoute,
)
from answerable.web.store_cache import StoreCache
from answerable.web.template_filters import build_url
from answerable.web.visitor import Visitor

_EXPORT_TYPES = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_SCAN_COMMAND = "answerable scan"


@dataclass(frozen=True, slots=True)
class _InventoryListPage:
    """One list page.

    Attributes:
        kind: Kind of the documents, and path.
        facets: Names of its facets.
        empty: Hint and command for an empty list.
    """

    kind: str
    title: str
    made: Callable[[StoreCache], PagedList[Any]]
    facets: tuple[str, ...]
    empty: tuple[str, str]

    def __call__(
        self, desk: StoreCache, visit: Visitor, asked: RouteRequest
    ) -> RouteAnswer:
        """Answer with the page, or with an export of all matching rows."""
        listing = self.made(desk)
        query = asked.query
        wanted = ListQuery(
            search=query.get("q", ""),
            only={name: query.get(name, "") for name in self.facets},
            order=query.get("sort", ""),
            after=query.get("after", ""),
            before=query.get("before", ""),
        )
        form = query.get("as", "")
        if form in _EXPORT_TYPES:
            return self._export_file(desk, listing, wanted, form)
        shown = listing.get_page(wanted)
        kept = {n: v for n, v in query.items() if n not in ("after", "before", "as")}
        path = f"/{self.kind}"
        values = {
            "kind": self.kind,
            "heading": self.title,
            "rows": shown.rows,
            "total": shown.total,
            "all": inventory_listings.known_count(desk, self.kind, len(listing.items)),
            "older": shown.older and build_url(path, **{**kept, "after": shown.older}),
            "newer": shown.newer and build_url(path, **{**kept, "before": shown.newer}),
            "facets": [
                (facet, sorted(listing.counts[facet.name].items()))
                for facet in listing.shape.facets
            ],
            "wanted": wanted,
            "sort": _sort_links(
                path, kept, wanted.order, next(iter(listing.shape.orders))
            ),
            "files": {f: build_url(path, **{**kept, "as": f}) for f in _EXPORT_TYPES},
            "fill": self.empty,
            "coverage": inventory_listings.coverage_document(desk, self.kind).coverage,
        }
        return PageAnswer("list.html", self.title, values)

    def _export_file(
        self, desk: StoreCache, listing: PagedList[Any], wanted: ListQuery, form: str
    ) -> FileDownload:
        document = Document(
            self.kind,
            listing.all_rows(wanted),
            inventory_listings.coverage_document(desk, self.kind).coverage,
        )
        if form == "csv":
            text = "".join(f"{line}\r\n" for line in to_csv(document))
        else:
            text = to_json(document)
        return FileDownload(f"{self.kind}.{form}", _EXPORT_TYPES[form], text.encode())


def _sort_links(
    path: str, kept: Mapping[str, str], now: str, first: str
) -> Callable[[str], tuple[str, str]]:
    """Return a function that gives the sort link and ARIA state of a column."""

    def link(name: str) -> tuple[str, str]:
        current = (now or first).removeprefix("-") == name
        down = now.startswith("-")
        turned = f"-{name}" if current and not down else name
        state = ("descending" if down else "ascending") if current else ""
        return build_url(path, **{**kept, "sort": turned}), state

    return link


_LIST_PAGES = (
    _InventoryListPage(
        "agents",
        "Agents",
        inventory_listings.agents,
        ("owner-state", "kind", "runs"),
        ("A scan of a home and of repositories finds the agents there.", _SCAN_COMMAND),
    ),
    _InventoryListPage(
        "identities",
        "Identities",
        inventory_listings.identities,
        ("owner-state", "kind", "agents"),
        ("A scan of an account finds its roles and users.", f"{_SCAN_COMMAND} aws:"),
    ),
    _InventoryListPage(
        "credentials",
        "Credentials",
        inventory_listings.credentials,
        ("owner-state", "kind", "lifetime", "held", "age"),
        (
            "A scan of a home finds credentials and their places, never values.",
            _SCAN_COMMAND,
        ),
    ),
    _InventoryListPage(
        "tools",
        "Tools",
        inventory_listings.tools,
        ("kind", "runs", "owner-state"),
        ("A scan finds the tools that agents carry.", _SCAN_COMMAND),
    ),
    _InventoryListPage(
        "people",
        "People",
        inventory_listings.people,
        ("kind", "here", "owns"),
        ("People are found as owners: in tags, files and histories.", _SCAN_COMMAND),
    ),
)

ROUTES: tuple[WebRoute, ...] = tuple(
    WebRoute(
        f"/{screen.kind}",
        screen,
        takes=("q", "sort", "after", "before", "as", *screen.facets),
    )
    for screen in _LIST_PAGES
)
