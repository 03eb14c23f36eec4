"""The baselines that stand, on their way from the store into the decisions of a process.

The store is where signed profiles lie, and nowhere else. A baseline only takes: while
the store cannot be read, what stood goes on to stand until its signature ends.
"""

import msgspec

from answerable.baseline.document import encode
from answerable.flows.baselines import BaselinesOf
from answerable.model.baseline import Stage, Subject
from answerable.model.errors import AnswerableError
from answerable.serving.store_watch import StoreWatch, Unheld
from answerable.store.store import Store


class InForce(msgspec.Struct, frozen=True):
    """A profile that stands, as it is handed to a worker.

    Attributes:
        subject: Whose.
        digest: Of it, hex.
        stage: Whether it holds calls back.
        expires: UTC nanoseconds at which its signature ends.
        profile: The document.
    """

    subject: Subject
    digest: str
    stage: Stage
    expires: int
    profile: bytes


class BaselineWatch(StoreWatch[tuple[InForce, ...]]):
    """Looks at the baselines of a store."""

    _nothing = ()
    _of: BaselinesOf

    def _look(
        self, store: Store, now: int, *, fresh: bool
    ) -> tuple[tuple[InForce, ...], Unheld]:
        if fresh:
            self._of = BaselinesOf(store)
        held = self._of.now(now)
        standing = tuple(
            InForce(
                each.subject, each.digest, each.stage, each.expires,
                encode(each.profile),
            )
            for each in held.standing.values()
        )  # fmt: skip
        return standing, [(each.digest, each.why) for each in held.unheld]

    def _unread(self, error: AnswerableError, seconds: float) -> None:
        """What stood goes on to stand: without it more would be allowed."""
