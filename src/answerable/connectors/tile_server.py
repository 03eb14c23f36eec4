"""Reader of a log that a web server publishes as tiles.

Integrity comes from the signed checkpoint and the hashes, so plain HTTP is enough.

Source: https://c2sp.org/tlog-tiles
"""

import http.client
import urllib.error
import urllib.request
from collections.abc import Callable
from email.message import Message
from http import HTTPStatus
from typing import IO
from urllib.parse import urlsplit

from answerable.model.errors import EnvironmentFailure, UsageError

_TIMEOUT = 30.0  # seconds between two reads
# A bundle of 256 entries, each of at most 65,535 bytes after two bytes of length.
_MAX_BYTES = 256 * (2 + 65_535)
_SCHEMES = ("http", "https")


class _RedirectRefusal(urllib.request.HTTPRedirectHandler):
    """Handler that follows no redirect."""

    def redirect_request(
        self,
        req: urllib.request.Request,
        fp: IO[bytes],
        code: int,
        msg: str,
        headers: Message,
        newurl: str,
    ) -> None:
        """Follow no redirect: its status is an error."""


def is_tile_url(place: str) -> bool:
    """Return whether a place of tiles is a URL, not a folder."""
    return place.partition("://")[0].lower() in _SCHEMES and "://" in place


def open_tile_server(prefix: str) -> Callable[[str], bytes | None]:
    """Return a reader of the files below the prefix of a log.

    The reader returns None for a file that the server does not have, and raises
    `EnvironmentFailure` for any other answer.

    Args:
        prefix: URL below which `checkpoint` and `tile/` are.

    Raises:
        UsageError: It is no such URL.
    """
    try:
        parts = urlsplit(prefix)
        valid = bool(parts.hostname) and parts.port != 0
        has_password = bool(parts.username or parts.password)
    except ValueError:
        valid = has_password = False
    if not valid or has_password or parts.query or parts.fragment:
        raise UsageError(
            "--tiles is not the URL of a log (expected https://HOST/PREFIX)",
            "a URL has no user, query or fragment; a folder also works",
        )
    opener = urllib.request.build_opener(_RedirectRefusal)

    def read(path: str) -> bytes | None:
        url = f"{prefix.rstrip('/')}/{path}"
        try:
            with opener.open(url, timeout=_TIMEOUT) as answer:
                data: bytes = answer.read(_MAX_BYTES + 1)
        except urllib.error.HTTPError as error:
            error.close()
            if error.code in (HTTPStatus.NOT_FOUND, HTTPStatus.GONE):
                return None
            raise _build_failure(path, f"HTTP status {error.code}") from None
        except (OSError, http.client.HTTPException, ValueError) as error:
            reason = getattr(error, "reason", error)
            said = str(reason).splitlines() or [type(error).__name__]
            raise _build_failure(path, said[0]) from None
        if len(data) > _MAX_BYTES:
            raise _build_failure(path, "the answer is larger than any tile")
        return data

    return read


def _build_failure(path: str, reason: str) -> EnvironmentFailure:
    """Build the error for a file that could not be read."""
    return EnvironmentFailure(
        f"{path} of the log cannot be read: {reason}",
        "check the URL: it is the prefix below which `checkpoint` is",
    )
