"""Page tokens of searches.

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

from answerable.pdp.wire.batch_request import LARGEST, USUAL, Page
from answerable.pdp.wire.problems import Invalid
from answerable.server.shared_secret import derived

MAC = 16  # bytes

Found = tuple[str, dict[str, Any]]  # key, entity

_place = msgspec.json.Decoder(tuple[str, int])


class Paging:
    """Splits results into pages.

    Args:
        secret: Secret of the process, kept across restarts.
    """

    def __init__(self, secret: bytes) -> None:
        self._key = derived(secret, "authzen-page")

    def cut(self, found: Sequence[Found], page: Page) -> dict[str, Any]:
        """Return one page of a search.

        Args:
            found: All results, sorted by key.

        Raises:
            Invalid: The token belongs to another search.
        """
        after, limit = self._read(page) if page.token else ("", page.limit)
        most = USUAL if limit is None else min(limit, LARGEST)
        start = bisect_right([key for key, _ in found], after) if after else 0
        shown = found[start : start + most]
        more = start + len(shown) < len(found)
        last = shown[-1][0] if shown else after
        about = {
            "next_token": self._token(last, most, page.asked) if more else "",
            "count": len(shown),
            "total": len(found),
        }
        return {"page": about, "results": [entity for _, entity in shown]}

    def _token(self, after: str, limit: int, asked: str) -> str:
        place = msgspec.json.encode((after, limit))
        return base64.urlsafe_b64encode(self._mac(place, asked) + place).decode()

    def _read(self, page: Page) -> tuple[str, int]:
        try:
            whole = base64.b64decode(page.token, b"-_", validate=True)
        except (binascii.Error, ValueError):
            whole = b""
        place = whole[MAC:]
        if not hmac.compare_digest(whole[:MAC], self._mac(place, page.asked)):
            raise _changed()
        after, limit = _place.decode(place)
        if page.limit not in (None, limit):
            raise _changed()
        return after, limit

    def _mac(self, place: bytes, asked: str) -> bytes:
        return hmac.digest(self._key, asked.encode() + place, "sha256")[:MAC]


def _changed() -> Invalid:
    says = "page.token is not of this search, or something of the search was changed"
    return Invalid(says, "page-token")
