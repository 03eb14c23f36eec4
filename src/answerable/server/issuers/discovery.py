"""Discover an issuer's keys by its published metadata.

The metadata is trusted for the issuer itself alone: `issuer` is the pinned `iss` byte
for byte (OpenID Connect Discovery 4.3, RFC 8414 3.3), or an issuer could point us to
its own keys for tokens of another. The keys have to be at the issuer's own origin. An
issuer that keeps them elsewhere, as Google does, is configured with that address
instead.
"""

import asyncio
from dataclasses import replace
from urllib.parse import urlsplit

from answerable.federation.strict_json import AmbiguousInput, decode_json_object
from answerable.server.issuers import http_fetch
from answerable.server.issuers.allowed_addresses import FetchFailed, same_origin
from answerable.server.issuers.http_fetch import (
    FetchedDocument,
    FetchLocation,
    fetch_document,
)

DISCOVERY = "discovery"  # of the setting `keys`
MAX_METADATA = 64 * 1024  # bytes


def issuer_metadata_urls(iss: str) -> tuple[str, str]:
    """Return the URLs of an issuer's metadata, in the order of the requests.

    OpenID Connect Discovery 4.1 appends its suffix; RFC 8414 3.1 inserts its own
    between host and path.
    """
    parts = urlsplit(iss)
    path = parts.path.rstrip("/")
    origin = f"{parts.scheme}://{parts.netloc}"
    return (
        f"{origin}{path}/.well-known/openid-configuration",
        f"{origin}/.well-known/oauth-authorization-server{path}",
    )


async def fetch_discovered_keys(
    iss: str, location: FetchLocation, max_bytes: int
) -> FetchedDocument:
    """Fetch the key set of an issuer by its metadata.

    Args:
        iss: The pinned `iss`.
        location: Connection settings; its URL is ignored.
        max_bytes: Maximum bytes of the key set.

    Raises:
        Unfetched: Metadata or keys cannot be fetched, or are not acceptable.
    """
    try:
        # Both documents share the time limit of one.
        async with asyncio.timeout(http_fetch.FETCH_TIMEOUT):
            metadata = await _fetch_issuer_metadata(iss, location)
            return await fetch_document(
                replace(location, url=parse_jwks_uri(metadata.document, iss)), max_bytes
            )
    except TimeoutError:
        raise FetchFailed(
            f"no complete response within {http_fetch.FETCH_TIMEOUT} seconds"
        ) from None


async def _fetch_issuer_metadata(iss: str, location: FetchLocation) -> FetchedDocument:
    """Fetch the metadata from its first URL, or from the second if that is missing."""
    first, second = issuer_metadata_urls(iss)
    try:
        return await fetch_document(replace(location, url=first), MAX_METADATA)
    except FetchFailed as unfetched:
        if "status 404" not in unfetched.message:
            raise
    return await fetch_document(replace(location, url=second), MAX_METADATA)


def parse_jwks_uri(document: bytes, iss: str) -> str:
    """Return the key set URL in an issuer's metadata.

    Raises:
        Unfetched: It is no metadata, of another issuer, or names another origin.
    """
    try:
        said = decode_json_object(document)
    except AmbiguousInput as unread:
        raise FetchFailed(f"its metadata cannot be read ({unread.reason})") from None
    if said.get("issuer") != iss:
        raise FetchFailed("its metadata belongs to another issuer")
    place = said.get("jwks_uri")
    if not isinstance(place, str) or not same_origin(place, iss):
        raise FetchFailed(
            "its metadata has no keys at the issuer's origin",
            "if the keys are at another origin, set `keys` to their URL",
        )
    return place
