"""Where the keys of an issuer are, in its own words.

The words are believed only of the issuer itself: `issuer` is the pinned `iss` byte for
byte (OpenID Connect Discovery 4.3, RFC 8414 3.3), or an issuer could send us to keys of
its own for tokens of another. The keys have to be at the issuer's own origin. One that
keeps them elsewhere, as Google does, is configured with that address instead.
"""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

from answerable.federate.strict import Unread, strict_object
from answerable.serving.issuers import fetching
from answerable.serving.issuers.addresses import Unfetched, same_origin
from answerable.serving.issuers.fetching import Fetched, Place, fetch_document

DISCOVERY = "discovery"  # of the setting `keys`
MAX_METADATA = 64 * 1024  # bytes


def metadata_urls(iss: str) -> tuple[str, str]:
    """Give the addresses of an issuer's metadata, in the order they are asked.

    OpenID Connect Discovery 4.1 appends its suffix; RFC 8414 3.1 puts its own between
    host and path.
    """
    parts = urlsplit(iss)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


async def fetch_discovered(iss: str, place: Place, most: int) -> Fetched:
    """Fetch the key set of an issuer that says itself where it is.

    Args:
        iss: The pinned `iss`.
        place: How it is reached; the URL is not looked at.
        most: Bytes that the key set may have.

    Raises:
        Unfetched: Metadata or keys cannot be had, or are not to be taken.
    """
    try:
        # Both documents together are to be there as soon as one would have to be.
        async with asyncio.timeout(fetching.WITHIN):
            metadata = await _metadata(iss, place)
            return await fetch_document(
                replace(place, url=read_jwks_uri(metadata.document, iss)), most
            )
    except TimeoutError:
        raise Unfetched(f"no whole answer within {fetching.WITHIN} seconds") from None


async def _metadata(iss: str, place: Place) -> Fetched:
    first, second = metadata_urls(iss)
    try:
        return await fetch_document(replace(place, url=first), MAX_METADATA)
    except Unfetched as unfetched:
        if "the status 404" not in unfetched.message:
            raise
    return await fetch_document(replace(place, url=second), MAX_METADATA)


def read_jwks_uri(document: bytes, iss: str) -> str:
    """Read where the keys are.

    Raises:
        Unfetched: It is no metadata, of another issuer, or names another origin.
    """
    try:
        said = strict_object(document)
    except Unread as unread:
        raise Unfetched(f"its metadata cannot be read ({unread.reason})") from None
    if said.get("issuer") != iss:
        raise Unfetched("its metadata is of another issuer")
    place = said.get("jwks_uri")
    if not isinstance(place, str) or not same_origin(place, iss):
        raise Unfetched(
            "its metadata names no keys at its own origin",
            "set `keys` to their address, if that is the right one",
        )
    return place
