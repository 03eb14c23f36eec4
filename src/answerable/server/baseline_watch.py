"""Watch over the valid baselines in a store.

Signed profiles are stored in the store only. A baseline only restricts: while the store
cannot be read, the last valid ones stay in force until their signatures end.
"""

import msgspec

from answerable.baseline.profile_document import encode
from answerable.model.baseline import Stage, Subject
from answerable.model.errors import AnswerableError
from answerable.server.store_watch import StoreWatch, Unheld
from answerable.services.statements.signed_baselines import BaselinesOf
from answerable.store.store import Store


class InForce(msgspec.Struct, frozen=True):
    """Valid profile, as a worker gets it.

    Attributes:
        subject: Subject of the profile.
        digest: Digest of the profile, hex.
        stage: Whether it is enforced.
        expires: UTC nanoseconds at which its signature ends.
    """

    subject: Subject
    digest: str
    stage: Stage
    expires: int
    profile: bytes


class BaselineWatch(StoreWatch[tuple[InForce, ...]]):
    """Watch over the baselines of a store."""

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
        """Keep the last baselines: without them more would be allowed."""
