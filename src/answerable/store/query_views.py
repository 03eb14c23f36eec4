"""Named views for user SQL, from a list of providers."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from answerable.store.query_tables import NamedTable

if TYPE_CHECKING:
    from answerable.store.store import Store


@dataclass(frozen=True, slots=True)
class Shown:
    """Views and tables of one provider.

    Attributes:
        tables: Extra tables by name.
        views: SELECTs by view name; they see the tables and `events_raw`, which has the
            columns and types of `Store.rows`' `events`.
    """

    tables: Mapping[str, NamedTable] = field(default_factory=dict)
    views: Mapping[str, str] = field(default_factory=dict)


Maker = Callable[["Store"], Shown]


def gather(store: "Store", makers: tuple[Maker, ...]) -> Shown:
    """Collect the views and tables of all providers."""
    tables: dict[str, NamedTable] = {}
    views: dict[str, str] = {}
    for maker in makers:
        shown = maker(store)
        tables.update(shown.tables)
        views.update(shown.views)
    return Shown(tables, views)
