"""Paginate search results, with page tokens that a MAC binds to their search.

A token holds the last key and the page size under a MAC that covers the search too, so
a token for a changed search is rejected (AuthZEN 1.0, 8.2). Results are sorted by key,
so a page neither repeats nor omits entries that existed all along.
"""

import base64
import binascii
import hmac
from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import msgspec

from answerable.pdp.wire.batch_request import (
    DEFAULT_PAGE_SIZE,
    MAX_PAGE_SIZE,
    PageRequest,
)
from answerable.pdp.wire.problem_documents import MalformedRequest
from answerable.server.shared_secret import derive_key

MAC_SIZE = 16  # bytes

SearchResult = tuple[str, dict[str, Any]]  # key, entity

_place = msgspec.json.Decoder(tuple[str, int])


class Paginator:
    """Splits results into pages.

    Args:
        secret: Secret of the process, kept across restarts.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = derive_key(secret, "authzen-page")

    def paginate(
        self, results: Sequence[SearchResult], page: PageRequest
    ) -> dict[str, Any]:
        """Return one page of search results.

        Args:
            results: All results, sorted by key.

        Raises:
            Invalid: The token belongs to another search.
        """
        after, limit = self._decode_token(page) if page.token else ("", page.limit)
        most = DEFAULT_PAGE_SIZE if limit is None else min(limit, MAX_PAGE_SIZE)
        start = bisect_right([key for key, _ in results], after) if after else 0
        shown = results[start : start + most]
        more = start + len(shown) < len(results)
        last = shown[-1][0] if shown else after
        about = {
            "next_token": self._encode_token(last, most, page.asked) if more else "",
            "count": len(shown),
            "total": len(results),
        }
        return {"page": about, "results": [entity for _, entity in shown]}

    def _encode_token(self, last_key: str, limit: int, search: str) -> str:
        """Build the token of the next page: last key and limit, with a MAC."""
        place = msgspec.json.encode((last_key, limit))
        return base64.urlsafe_b64encode(
            self._compute_mac(place, search) + place
        ).decode()

    def _decode_token(self, page: PageRequest) -> tuple[str, int]:
        """Verify a page token; return its last key and limit."""
        try:
            whole = base64.b64decode(page.token, b"-_", validate=True)
        except (binascii.Error, ValueError):
            whole = b""
        place = whole[MAC_SIZE:]
        if not hmac.compare_digest(
            whole[:MAC_SIZE], self._compute_mac(place, page.asked)
        ):
            raise _build_page_token_error()
        after, limit = _place.decode(place)
        if page.limit not in (None, limit):
            raise _build_page_token_error()
        return after, limit

    def _compute_mac(self, position: bytes, search: str) -> bytes:
        """Compute the MAC of a position in one search."""
        return hmac.digest(self._key, search.encode() + position, "sha256")[:MAC_SIZE]


def _build_page_token_error() -> MalformedRequest:
    """Build the 400 error for a page token that belongs to another search."""
    says = "page.token does not match this search"
    return MalformedRequest(says, "page-token")
