"""Result of scanning one source, or one account: stored syncs, problems, error."""

from collections.abc import Callable
from dataclasses import dataclass

from answerable.model.sighting import ReadProblem, ReadProblemKind
from answerable.services.inventory.stored_sync import StoredSync


def _do_nothing() -> None:
    """Default cleanup: do nothing."""


@dataclass(frozen=True, slots=True)
class ScanOutcome:
    """Result of one source.

    Attributes:
        source: Name of the source in the document.
        connector: Name of the connector.
        stored: Stored syncs.
        problems: Parts that could not be read.
        error: Error of a source that could not be read at all, else None.
        end: Callback after the snapshot is stored.
    """

    source: str
    connector: str
    stored: tuple[StoredSync, ...] = ()
    problems: tuple[ReadProblem, ...] = ()
    error: Exception | None = None
    end: Callable[[], None] = _do_nothing

    @property
    def all_problems(self) -> tuple[ReadProblem, ...]:
        """Problems, with the error included."""
        if self.error is None:
            return self.problems
        failed = ReadProblem(ReadProblemKind.UNREADABLE, self.source, str(self.error))
        return (*self.problems, failed)
