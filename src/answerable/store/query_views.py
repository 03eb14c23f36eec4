"""Collect named SQL views for user queries from a list of providers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from answerable.store.query_tables import TableBuilder

if TYPE_CHECKING:
    from answerable.store.store import EvidenceStore


@dataclass(frozen=True, slots=True)
class ViewDefinitions:
    """Views and tables of one provider.

    Attributes:
        tables: Functions that build extra tables, by name; only those of tables that
            a query needs are called.
        views: SELECTs by view name; they see the tables and `events_raw`, which has the
            columns and types of `EvidenceStore.rows`' `events`.
    """

    tables: Mapping[str, TableBuilder] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)


NO_VIEWS = ViewDefinitions()
ViewProvider = Callable[["EvidenceStore"], ViewDefinitions]


def collect_views(
    store: "EvidenceStore", providers: tuple[ViewProvider, ...]
) -> ViewDefinitions:
    """Collect the SQL views and tables that packages provide for `query`."""
    tables: dict[str, TableBuilder] = {}
    views: dict[str, str] = {}
    for maker in providers:
        shown = maker(store)
        tables.update(shown.tables)
        views.update(shown.views)
    return ViewDefinitions(tables, views)
