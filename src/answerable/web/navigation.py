"""Navigation of the pages in four groups, with counts that are already computed."""

from collections.abc import Mapping
from typing import NamedTuple

from answerable.model.errors import AnswerableError
from answerable.presentation import answer_coverage
from answerable.web.activity_scope import ACTIVITY_PERMISSIONS
from answerable.web.paged_list import PagedList
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import Visitor, WebPermission

_LOOK = frozenset({WebPermission.LOOK})
_SIGNED_IN = frozenset(
    {WebPermission.OWN, WebPermission.INVESTIGATE, WebPermission.ADMINISTER}
)


class NavigationEntry(NamedTuple):
    """Link to a page.

    Attributes:
        also: Paths of pages that belong to it.
        permissions: Permissions, any of which suffices.
        counted: Derived list whose rows are counted, and the facet value that they
            have; empty for none.
    """

    path: str
    label: str
    also: tuple[str, ...] = ()
    permissions: frozenset[WebPermission] = _LOOK
    counted: str = ""
    facet: tuple[str, str] = ("", "")

    def is_visible_to(self, visitor: Visitor) -> bool:
        """Return whether a visitor may open the page."""
        return bool(self.permissions & visitor.may)


NAVIGATION: tuple[tuple[str, tuple[NavigationEntry, ...]], ...] = (
    (
        "Know",
        (
            NavigationEntry("/", "Overview"),
            NavigationEntry("/agents", "Agents", ("/agent", "/kill"), counted="agents"),
            NavigationEntry(
                "/identities", "Identities", ("/identity",), counted="identities"
            ),
            NavigationEntry(
                "/credentials", "Credentials", ("/credential",), counted="credentials"
            ),
            NavigationEntry("/tools", "Tools", ("/tools/diff",), counted="tools"),
            NavigationEntry(
                "/people", "People", ("/person", "/keys"), counted="people"
            ),
        ),
    ),
    (
        "Investigate",
        (
            NavigationEntry(
                "/findings",
                "Findings",
                ("/finding",),
                frozenset({WebPermission.INVESTIGATE}),
                counted="findings",
                facet=("state", "open"),
            ),
            NavigationEntry(
                "/trace",
                "Investigate",
                ("/event", "/trace/chains", "/trace/compare", "/trace/saved"),
                ACTIVITY_PERMISSIONS,
            ),
            NavigationEntry("/changes", "Changes"),
            NavigationEntry(
                "/cases", "Cases", ("/case",), frozenset({WebPermission.INVESTIGATE})
            ),
            NavigationEntry(
                "/reach",
                "Reach",
                ("/can", "/who-can", "/what-if", "/reach/all", "/what-if/cuts"),
            ),
        ),
    ),
    (
        "Decide",
        (
            NavigationEntry("/owners", "Owner requests", (), _SIGNED_IN),
            NavigationEntry(
                "/asks", "Approval requests", ("/ask",), ACTIVITY_PERMISSIONS
            ),
            NavigationEntry(
                "/baselines", "Baselines", ("/baseline",), ACTIVITY_PERMISSIONS
            ),
            NavigationEntry(
                "/decisions", "Decisions", ("/decision",), ACTIVITY_PERMISSIONS
            ),
            NavigationEntry(
                "/kills", "Kills", (), frozenset({WebPermission.ADMINISTER})
            ),
        ),
    ),
    (
        "Prove",
        (NavigationEntry("/evidence", "Evidence", ("/proof",), ACTIVITY_PERMISSIONS),),
    ),
)


def count_entries(cache: StoreCache, visitor: Visitor) -> Mapping[str, str]:
    """Count the rows of lists that are already built, by path; unknown ones are left out.

    A count that data of a missing source could raise ends with `+`.
    """
    try:
        view = cache.current_view()
    except AnswerableError:  # pages that do not need the store work without it
        return {}
    counts: dict[str, str] = {}
    for _, entries in NAVIGATION:
        for entry in entries:
            if not entry.counted or not entry.is_visible_to(visitor):
                continue
            if not view.has_derived(entry.counted):
                continue
            listing = view.get_built(entry.counted, PagedList)
            name, value = entry.facet
            found = listing.count_matching({name: value} if name else {})
            logs = view.chains.sources
            known = answer_coverage.count_or_unknown(
                entry.counted, view.inventory, found, logs
            )
            if known is not None:
                missing = answer_coverage.list_missing_data(
                    entry.counted, view.inventory, logs
                )
                counts[entry.path] = f"{known:,}{'+' if missing else ''}"
    return counts
