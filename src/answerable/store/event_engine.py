"""Interface of an engine that answers queries over the events of a store.

DuckDB in this process answers unless a command names another engine (`--engine`). The
queries are written once, in DuckDB's dialect; an engine translates them.
"""

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Protocol

from answerable.model.errors import EnvironmentFailure

if TYPE_CHECKING:
    from answerable.store.event_sources import EventSources
    from answerable.store.query_engine import QueryLimits
    from answerable.store.query_tables import NamedTable, ParquetTable

Rows = list[tuple[object, ...]]


class SegmentReadFailure(EnvironmentFailure):
    """An engine could not read a segment file, which may be damaged."""


class EventEngine(Protocol):
    """Engine that is not this process, over the events of one store."""

    def run(
        self,
        sources: "EventSources",
        query: str,
        parameters: Sequence[object],
        tables: "Mapping[str, NamedTable | ParquetTable]",
    ) -> Rows:
        """Run trusted SQL; see `EvidenceStore.run_query`.

        Args:
            sources: Events that the views `events` and `skimmed` show.

        Raises:
            SegmentReadFailure: A segment file cannot be read.
            EnvironmentFailure: The engine cannot be reached, or fails.
        """

    def check_select(self, text: str) -> None:
        """Check a SELECT of a user, before anything is computed for it.

        Raises:
            UsageError: It is not exactly one SELECT, or can do more than read.
        """

    def run_select(
        self,
        sources: "EventSources",
        text: str,
        tables: "Mapping[str, NamedTable]",
        limits: "QueryLimits",
    ) -> tuple[tuple[str, ...], Rows]:
        """Run a SELECT of a user over the documented views, in the engine's dialect.

        Args:
            tables: Tables by name, which the views join, or the query reads.

        Raises:
            UsageError: It is not exactly one SELECT, or the engine cannot run it.
            SegmentReadFailure: A segment file cannot be read.
            EnvironmentFailure: The engine cannot be reached, or fails.
        """
