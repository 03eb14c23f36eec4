"""Kubernetes TokenReview for issuers that require it: a token outlives its pod."""

import asyncio
from collections.abc import Iterable, Mapping

from answerable.model.config import PinnedIssuer
from answerable.server.issuers.allowed_addresses import Unfetched
from answerable.server.issuers.token_review import Reviewer
from answerable.server.operator_log import Log
from answerable.services.federation.exchange_verification import ReviewNeeded

AT_ONCE = 32  # questions to API servers


Asked = Mapping[str, tuple[Reviewer, str]]


def asked_of(issuers: Iterable[PinnedIssuer]) -> Asked:
    """Build the TokenReview client and audience of each issuer.

    Raises:
        EnvironmentRefused: A file cannot be used.
    """
    return {
        each.pin.name: (Reviewer(each.review), each.audience)
        for each in issuers
        if each.review is not None
    }


class Reviews:
    """TokenReview clients of all issuers that require one.

    Raises:
        EnvironmentRefused: A file cannot be used.
    """

    def __init__(self, issuers: Iterable[PinnedIssuer], log: Log) -> None:
        self._log = log
        self._room = asyncio.Semaphore(AT_ONCE)
        self._asked = asked_of(issuers)

    def swap(self, asked: Asked) -> None:
        """Replace the clients."""
        self._asked = asked

    async def review(self, needed: ReviewNeeded) -> bool | None:
        """Tell whether a token is valid now; None if the API server gives no answer."""
        if needed.issuer not in self._asked:
            return None  # the configuration has just changed
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
