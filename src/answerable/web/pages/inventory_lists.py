"""Lists of agents, identities, credentials, tools and people."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from answerable.model.documents.core import Document
from answerable.presentation.serialization import to_csv, to_json
from answerable.web.paged_list import Listing, Wanted
from answerable.web.pages import inventory_listings
from answerable.web.routing import Answer, Asked, File, Page, Route
from answerable.web.store_cache import Desk
from answerable.web.template_filters import url
from answerable.web.visitor import Visit

_FORMS = {"csv": "text/csv; charset=utf-8", "json": "application/json"}
_SCAN = "answerable scan"


@dataclass(frozen=True, slots=True)
class _Screen:
    """One list page.

    Attributes:
        kind: Kind of the documents, and path.
        facets: Names of its facets.
        empty: Hint and command for an empty list.
    """

    kind: str
    title: str
    made: Callable[[Desk], Listing[Any]]
    facets: tuple[str, ...]
    empty: tuple[str, str]

    def __call__(self, desk: Desk, visit: Visit, asked: Asked) -> Answer:
        """Answer with the page, or with an export of all matching rows."""
        listing = self.made(desk)
        query = asked.query
        wanted = Wanted(
            search=query.get("q", ""),
            only={name: query.get(name, "") for name in self.facets},
            order=query.get("sort", ""),
            after=query.get("after", ""),
            before=query.get("before", ""),
        )
        form = query.get("as", "")
        if form in _FORMS:
            return self._file(desk, listing, wanted, form)
        shown = listing.page(wanted)
        kept = {n: v for n, v in query.items() if n not in ("after", "before", "as")}
        path = f"/{self.kind}"
        values = {
            "kind": self.kind,
            "heading": self.title,
            "rows": shown.rows,
            "total": shown.total,
            "all": inventory_listings.count(desk, self.kind, len(listing.items)),
            "older": shown.older and url(path, **{**kept, "after": shown.older}),
            "newer": shown.newer and url(path, **{**kept, "before": shown.newer}),
            "facets": [
                (facet, sorted(listing.counts[facet.name].items()))
                for facet in listing.shape.facets
            ],
            "wanted": wanted,
            "sort": _sorter(path, kept, wanted.order, next(iter(listing.shape.orders))),
            "files": {f: url(path, **{**kept, "as": f}) for f in _FORMS},
            "fill": self.empty,
            "coverage": inventory_listings.coverage(desk, self.kind).coverage,
        }
        return Page("list.html", self.title, values)

    def _file(
        self, desk: Desk, listing: Listing[Any], wanted: Wanted, form: str
    ) -> File:
        document = Document(
            self.kind,
            listing.every(wanted),
            inventory_listings.coverage(desk, self.kind).coverage,
        )
        if form == "csv":
            text = "".join(f"{line}\r\n" for line in to_csv(document))
        else:
            text = to_json(document)
        return File(f"{self.kind}.{form}", _FORMS[form], text.encode())


def _sorter(
    path: str, kept: Mapping[str, str], now: str, first: str
) -> Callable[[str], tuple[str, str]]:
    """Return a function that gives the sort link and ARIA state of a column."""

    def link(name: str) -> tuple[str, str]:
        current = (now or first).removeprefix("-") == name
        down = now.startswith("-")
        turned = f"-{name}" if current and not down else name
        state = ("descending" if down else "ascending") if current else ""
        return url(path, **{**kept, "sort": turned}), state

    return link


_SCREENS = (
    _Screen(
        "agents",
        "Agents",
        inventory_listings.agents,
        ("owner-state", "kind", "runs"),
        ("A scan of a home and of repositories finds the agents there.", _SCAN),
    ),
    _Screen(
        "identities",
        "Identities",
        inventory_listings.identities,
        ("owner-state", "kind", "agents"),
        ("A scan of an account finds its roles and users.", f"{_SCAN} aws:"),
    ),
    _Screen(
        "credentials",
        "Credentials",
        inventory_listings.credentials,
        ("owner-state", "kind", "lifetime", "held", "age"),
        ("A scan of a home finds credentials and their places, never values.", _SCAN),
    ),
    _Screen(
        "tools",
        "Tools",
        inventory_listings.tools,
        ("kind", "runs", "owner-state"),
        ("A scan finds the tools that agents carry.", _SCAN),
    ),
    _Screen(
        "people",
        "People",
        inventory_listings.people,
        ("kind", "here", "owns"),
        ("People are found as owners: in tags, files and histories.", _SCAN),
    ),
)

ROUTES: tuple[Route, ...] = tuple(
    Route(
        f"/{screen.kind}",
        screen,
        takes=("q", "sort", "after", "before", "as", *screen.facets),
    )
    for screen in _SCREENS
)
