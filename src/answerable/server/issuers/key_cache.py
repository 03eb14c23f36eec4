"""Cache the keys of pinned issuers: read from files, or fetched and renewed.

A fetched set is renewed as its Cache-Control asks, between five minutes and an hour,
off the path of requests. Where that fails, the last good set is used for an hour after
it was due: an issuer's outage affects no token whose key is known, for that long. So no
key is used for more than two hours after its issuer last published it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

from answerable.connectors.regular_file import read_named_file
from answerable.federation.jwk_set import MAX_BYTES, IssuerKeySet, parse_key_set
from answerable.federation.token_errors import KeySetRejected
from answerable.federation.token_verification import IssuerIndex, IssuerWithKeys
from answerable.model.config import IssuerConfig
from answerable.model.errors import EnvironmentFailure, UsageError
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.discovery import DISCOVERY, fetch_discovered_keys
from answerable.server.issuers.http_fetch import (
    FetchedDocument,
    FetchLocation,
    fetch_document,
)
from answerable.server.tls import build_client_context

OUTAGE_SECONDS = 3600  # seconds that a fetched set is used after its renewal was due
UNIX_PREFIX = "unix:"  # of the setting `keys`: a socket of our own token service
OWN_KEYS = "http://localhost/jwks"
FETCH_INTERVAL = 60  # seconds between two attempts for one issuer
OWN_FETCH_INTERVAL = 1  # likewise for our own token service, which starts when we do

_NO_KEYS = IssuerKeySet({}, ())


@dataclass(slots=True)
class _CachedKeys:
    """Cached keys of one issuer.

    Attributes:
        keys: Key set of the last reading.
        due: NumericDate of the next fetch.
        usable_until: NumericDate after which it is no longer used.
        tried: NumericDate of the last attempt.
        tls: SSL context for it; the system's authorities where None.
    """

    pinned: IssuerConfig
    keys: IssuerKeySet = _NO_KEYS
    due: float = 0
    usable_until: float = 0
    tried: float = -inf
    tls: ssl.SSLContext | None = None

    @property
    def is_fetched(self) -> bool:
        """True where the keys are fetched from a URL, not read from a file."""
        return _has_fetched_keys(self.pinned)

    @property
    def min_fetch_interval(self) -> int:
        """Return the minimum seconds between two fetches."""
        return (
            OWN_FETCH_INTERVAL
            if self.pinned.keys.startswith(UNIX_PREFIX)
            else FETCH_INTERVAL
        )


class IssuerKeyCache:
    """Keys by issuer.

    Args:
        issuers: Pinned issuers. Files are read at once, URLs on demand.
        tls: SSL context for an issuer without a `ca` of its own; the system's
            authorities where None.

    Raises:
        UsageError: A file is no key set, or no certificates, that can be used.
        EnvironmentFailure: A file cannot be read.
    """

    def __init__(
        self, issuers: Iterable[IssuerConfig], tls: ssl.SSLContext | None = None
    ) -> None:
        self._tls = tls
        self._held: dict[str, _CachedKeys] = {}
        self._fetching: dict[str, asyncio.Task[str]] = {}
        self.reconfigure(issuers)

    def reconfigure(self, issuers: Iterable[IssuerConfig]) -> None:
        """Use another list of issuers, and read files again; keep fetched keys.

        Raises:
            UsageError: As above; nothing has changed then.
            EnvironmentFailure: As above; nothing has changed then.
        """
        self._held = {each.pin.name: self._load_keys(each) for each in issuers}
        self._rebuild_issuers(0)

    def issuers(self, now: float) -> IssuerIndex:
        """Return token issuers with the keys that can verify now."""
        if now >= self._until:
            self._rebuild_issuers(now)
        return self._issuers

    def keys_usable_until(self, issuer: str) -> float:
        """Return the NumericDate until which an issuer's keys are used."""
        return self._held[issuer].usable_until

    def has_usable_key(self, issuer: str, now: float) -> bool:
        """Return whether any key of an issuer can verify a token now."""
        return now < self._held[issuer].usable_until

    def can_fetch_keys(self, issuer: str, now: float) -> bool:
        """Return whether an issuer's keys may be fetched now, or a fetch is running."""
        held = self._held[issuer]
        # After the clock went back, earlier times mean nothing.
        rested = not held.tried <= now < held.tried + held.min_fetch_interval
        return held.is_fetched and (rested or issuer in self._fetching)

    def list_issuers_to_renew(self, now: float) -> tuple[str, ...]:
        """List the issuers whose keys are to be fetched again."""
        return tuple(
            name
            for name, held in self._held.items()
            if (now >= held.due or now < held.tried) and self.can_fetch_keys(name, now)
        )

    async def fetch_issuer_keys(self, issuer: str, now: float) -> str:
        """Fetch an issuer's JWKS, once for all requests that wait for it.

        Returns:
            Empty, or the reason of a failure: a sentence for the operator.
        """
        held = self._held.get(issuer)
        if held is None:
            return "it is no longer configured"
        task = self._fetching.get(issuer)
        if task is None:
            task = asyncio.create_task(self._fetch_issuer(held, now))
            self._fetching[issuer] = task
            task.add_done_callback(lambda _: self._fetching.pop(issuer))
        # A cancelled waiter does not cancel the fetch of the others.
        return await asyncio.shield(task)

    async def _fetch_issuer(self, cached_keys: _CachedKeys, now: float) -> str:
        """Fetch and cache an issuer's keys; return the error, empty if none."""
        cached_keys.tried = now
        try:
            fetched = await _fetch_keys(cached_keys)
            keys = parse_key_set(fetched.document, cached_keys.pinned.pin.algs)
        except (FetchFailed, KeySetRejected) as error:
            return error.message
        cached_keys.keys = keys
        cached_keys.due = now + fetched.fresh
        cached_keys.usable_until = cached_keys.due + OUTAGE_SECONDS
        self._rebuild_issuers(now)
        return ""

    def _load_keys(self, issuer: IssuerConfig) -> _CachedKeys:
        """Read an issuer's key file, or return what is cached of fetched keys."""
        held = self._held.get(issuer.pin.name)
        if _has_fetched_keys(issuer):
            # The file of certificates may have been replaced.
            tls = _build_issuer_tls_context(issuer) if issuer.ca else self._tls
            # Keys fetched under a removed authority are dropped.
            if (
                held is None
                or held.pinned != issuer
                or _drops_trusted_authority(held.tls, tls)
            ):
                held = _CachedKeys(issuer)
            held.tls = tls
            return held
        document = _read_jwks_file(Path(issuer.keys))
        try:
            keys = parse_key_set(document, issuer.pin.algs)
        except KeySetRejected as refused:
            where = f"issuer {issuer.pin.name}: {issuer.keys}: "
            raise UsageError(where + refused.message) from None
        return _CachedKeys(issuer, keys, due=inf, usable_until=inf)

    def _rebuild_issuers(self, now: float) -> None:
        """Rebuild the index of issuers without expired keys."""
        held = self._held.values()
        usable = {each.pinned.pin.name for each in held if now < each.usable_until}
        self._issuers = IssuerIndex(
            *(
                IssuerWithKeys(
                    each.pinned.pin,
                    each.pinned.audience,
                    each.keys if each.pinned.pin.name in usable else _NO_KEYS,
                )
                for each in held
            )
        )
        ends = (each.usable_until for each in held)
        self._until = min((end for end in ends if end > now), default=inf)


def _drops_trusted_authority(
    old_context: ssl.SSLContext | None, new_context: ssl.SSLContext | None
) -> bool:
    """Return whether the new TLS context trusts fewer authorities."""
    if old_context is None or new_context is None:
        return old_context is not new_context
    left = new_context.get_ca_certs(binary_form=True)
    return any(each not in left for each in old_context.get_ca_certs(binary_form=True))


def _has_fetched_keys(issuer: IssuerConfig) -> bool:
    """Return whether an issuer's keys are fetched from a URL, not read from a file."""
    return issuer.keys == DISCOVERY or issuer.keys.startswith(("https://", UNIX_PREFIX))


async def _fetch_keys(cached_keys: _CachedKeys) -> FetchedDocument:
    """Fetch a key set from its URL, by discovery, or from our own socket."""
    pinned = cached_keys.pinned
    if pinned.keys.startswith(UNIX_PREFIX):
        socket = pinned.keys.removeprefix(UNIX_PREFIX)
        return await fetch_document(FetchLocation(OWN_KEYS, unix=socket), MAX_BYTES)
    place = FetchLocation(pinned.keys, cached_keys.tls, pinned.private)
    if pinned.keys == DISCOVERY:
        return await fetch_discovered_keys(pinned.pin.iss, place, MAX_BYTES)
    return await fetch_document(place, MAX_BYTES)


def _build_issuer_tls_context(issuer: IssuerConfig) -> ssl.SSLContext:
    """Build the TLS context that trusts an issuer's own authority."""
    try:
        return build_client_context(issuer.ca)
    except ssl.SSLError:
        raise UsageError(
            f"issuer {issuer.pin.name}: {issuer.ca} contains no CA certificate",
            "set `ca` to a PEM file of the CA of the issuer's certificate",
        ) from None
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {issuer.ca} ({error.strerror})",
            "set `ca` to the CA of the issuer's certificate",
        ) from None


def _read_jwks_file(path: Path) -> bytes:
    """Read the JWK set file of an issuer, up to one byte above the limit."""
    try:
        return read_named_file(path, MAX_BYTES + 1)
    except OSError as error:
        raise EnvironmentFailure(
            f"cannot read {path} ({error.strerror})",
            "set `keys` to the file with the issuer's JWK set",
        ) from None
