"""What persons asked agents for, on its way from the store into a process.

A request only explains. While the store cannot be read, what stood stands for a minute;
what is not what it was explains nothing.
"""

from answerable.flows.requests import RequestsOf
from answerable.model.errors import AnswerableError, EnvironmentRefused
from answerable.model.requested import Requested
from answerable.serving.store_watch import StoreWatch, Unheld
from answerable.store.store import Store

LAST_GOOD = 60.0  # seconds that requests stand while the store cannot be read


class RequestWatch(StoreWatch[Requested]):
    """Looks at the requests of a store."""

    _of: RequestsOf

    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[Requested, ...], Unheld]:
        if fresh:
            self._of = RequestsOf(store)
        held = self._of.now(now)
        return held.standing, [(each.digest, each.why) for each in held.unheld]

    def _unread(self, error: AnswerableError, seconds: float) -> None:
        if not isinstance(error, EnvironmentRefused) or seconds > LAST_GOOD:
            self._stand(())
