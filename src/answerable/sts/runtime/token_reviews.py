"""Query the Kubernetes TokenReview API to check that a token is still valid."""

import asyncio
from collections.abc import Iterable, Mapping

from answerable.model.config import IssuerConfig
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.token_review import TokenReviewer
from answerable.server.operator_log import OperatorLog
from answerable.services.federation.exchange_verification import TokenReviewNeeded

MAX_CONCURRENT = 32  # questions to API servers


ReviewersByIssuer = Mapping[str, tuple[TokenReviewer, str]]


def build_reviewers(issuers: Iterable[IssuerConfig]) -> ReviewersByIssuer:
    """Build the TokenReview client of each issuer that requires one.

    Raises:
        EnvironmentFailure: A file cannot be used.
    """
    return {
        each.pin.name: (TokenReviewer(each.review), each.audience)
        for each in issuers
        if each.review is not None
    }


class TokenReviews:
    """TokenReview clients of all issuers that require one.

    Raises:
        EnvironmentFailure: A file cannot be used.
    """

    def __init__(self, issuers: Iterable[IssuerConfig], log: OperatorLog) -> None:
        self._log = log
        self._room = asyncio.Semaphore(MAX_CONCURRENT)
        self._asked = build_reviewers(issuers)

    def reconfigure(self, reviewers: ReviewersByIssuer) -> None:
        """Replace the TokenReview clients, by issuer."""
        self._asked = reviewers

    async def review(self, needed: TokenReviewNeeded) -> bool | None:
        """Return whether a token is valid now; None if the API server gives no answer."""
        if needed.issuer not in self._asked:
            return None  # the configuration has just changed
        reviewer, audience = self._asked[needed.issuer]
        async with self._room:
            try:
                said = await reviewer.review_token(needed.unverified_token, audience)
            except FetchFailed as error:
                self._log.warning(
                    "review.refused", issuer=needed.issuer, why=error.message
                )
                return None
        return said.good and said.username == needed.sub
