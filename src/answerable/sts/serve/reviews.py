"""TokenReview where a Kubernetes issuer asks for it: a token outlives its pod."""

import asyncio
from collections.abc import Iterable

from answerable.flows.exchange import ReviewNeeded
from answerable.model.config import PinnedIssuer
from answerable.serving.issuers.addresses import Unfetched
from answerable.serving.issuers.review import Reviewer
from answerable.serving.log import Log

AT_ONCE = 32  # questions to API servers


class Reviews:
    """Asks the API servers of those issuers that have one.

    Args:
        issuers: Of the configuration.
        log: Of the process.

    Raises:
        EnvironmentRefused: A file cannot be used.
    """

    def __init__(self, issuers: Iterable[PinnedIssuer], log: Log) -> None:
        self._log = log
        self._room = asyncio.Semaphore(AT_ONCE)
        self.swap(issuers)

    def swap(self, issuers: Iterable[PinnedIssuer]) -> None:
        """Ask others from now on.

        Raises:
            EnvironmentRefused: A file cannot be used, and nothing has changed.
        """
        self._asked = {
            each.pin.name: (Reviewer(each.review), each.audience)
            for each in issuers
            if each.review is not None
        }

    async def review(self, needed: ReviewNeeded) -> bool | None:
        """Say whether a token is good now; None where the API server does not say."""
        reviewer, audience = self._asked[needed.issuer]
        async with self._room:
            try:
                said = await reviewer.review(needed.unverified_token, audience)
            except Unfetched as error:
                self._log.warning(
                    "review.refused", issuer=needed.issuer, why=error.message
                )
                return None
        return said.good and said.username == needed.sub
