"""Watch the signed baselines in a store, and apply the valid ones.

Signed profiles are stored in the store only. A baseline only restricts: while the store
cannot be read, the last valid ones stay in force until their signatures end.
"""

import msgspec

from answerable.baseline.profile_document import encode_profile
from answerable.model.baseline import BaselineStage, BaselineSubject
from answerable.model.errors import AnswerableError
from answerable.server.store_watch import Rejections, StoreWatch
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.store.store import EvidenceStore


class ValidBaseline(msgspec.Struct, frozen=True):
    """Valid profile, as a worker gets it.

    Attributes:
        subject: Subject of the profile.
        digest: Digest of the profile, hex.
        stage: Whether it is enforced.
        expires: UTC nanoseconds at which its signature ends.
    """

    subject: BaselineSubject
    digest: str
    stage: BaselineStage
    expires: int
    profile: bytes


class BaselineWatch(StoreWatch[tuple[ValidBaseline, ...]]):
    """Watch over the baselines of a store."""

    _nothing = ()
    _of: SignedBaselineReader

    def _read_valid(
        self, store: EvidenceStore, now: int, *, is_new_store: bool
    ) -> tuple[tuple[ValidBaseline, ...], Rejections]:
        """Return the valid baselines, and the rejected ones with reasons."""
        if is_new_store:
            self._of = SignedBaselineReader(store)
        held = self._of.read(now)
        standing = tuple(
            ValidBaseline(
                each.subject,
                each.digest,
                each.stage,
                each.expires,
                encode_profile(each.profile),
            )
            for each in held.active.values()
        )
        return standing, [(each.digest, each.why) for each in held.rejected]

    def _on_unreadable(self, error: AnswerableError, seconds: float) -> None:
        """Keep the last baselines: without them more would be allowed."""
