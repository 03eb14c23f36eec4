"""Result of scanning one source, or one account of an organization."""

from collections.abc import Callable
from dataclasses import dataclass

from answerable.flows.stored_sync import StoredSync
from answerable.model.sighting import Problem, ProblemKind


def _nothing() -> None:
    """Default cleanup: do nothing."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """Result of one source.

    Attributes:
        source: As the scan's document names it.
        connector: Name of the connector.
        stored: Its syncs, in the store.
        problems: What could not be read.
        error: What prevented it whole; None where something was read.
        end: Called once the snapshot is stored.
    """

    source: str
    connector: str
    stored: tuple[StoredSync, ...] = ()
    problems: tuple[Problem, ...] = ()
    error: Exception | None = None
    end: Callable[[], None] = _nothing

    @property
    def all_problems(self) -> tuple[Problem, ...]:
        """Problems, with the error included."""
        if self.error is None:
            return self.problems
        failed = Problem(ProblemKind.UNREADABLE, self.source, str(self.error))
        return (*self.problems, failed)
