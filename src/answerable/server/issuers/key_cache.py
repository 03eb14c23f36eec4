"""Cache of the pinned issuers' keys: read from files, or fetched and renewed.

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

from answerable.connectors.named_file import read_named
from answerable.federation.errors import KeySetRefused
from answerable.federation.jwk_set import MAX_BYTES, KeySet, read_key_set
from answerable.federation.token_verification import Issuers, KnownIssuer
from answerable.model.config import PinnedIssuer
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.server.issuers.allowed_addresses import Unfetched
from answerable.server.issuers.discovery import DISCOVERY, fetch_discovered
from answerable.server.issuers.http_fetch import Fetched, Place, fetch_document
from answerable.server.tls import client_context

OUTAGE = 3600  # seconds that a fetched set is used after its renewal was due
UNIX = "unix:"  # of the setting `keys`: a socket of our own token service
OWN_KEYS = "http://localhost/jwks"
PAUSE = 60  # seconds between two attempts for one issuer
OWN_PAUSE = 1  # likewise for our own token service, which starts when we do

_NONE_YET = KeySet({}, ())


@dataclass(slots=True)
class _Held:
    """Cached keys of one issuer.

    Attributes:
        keys: Key set of the last reading.
        due: NumericDate of the next fetch.
        usable_until: NumericDate after which it is no longer used.
        tried: NumericDate of the last attempt.
        tls: SSL context for it; the system's authorities where None.
    """

    pinned: PinnedIssuer
    keys: KeySet = _NONE_YET
    due: float = 0
    usable_until: float = 0
    tried: float = -inf
    tls: ssl.SSLContext | None = None

    @property
    def is_fetched(self) -> bool:
        return _is_fetched(self.pinned)

    @property
    def pause(self) -> int:
        return OWN_PAUSE if self.pinned.keys.startswith(UNIX) else PAUSE


class IssuerKeys:
    """Keys by issuer.

    Args:
        issuers: Pinned issuers. Files are read at once, URLs on demand.
        tls: SSL context for an issuer without a `ca` of its own; the system's
            authorities where None.

    Raises:
        UsageError: A file is no key set, or no certificates, that can be used.
        EnvironmentRefused: A file cannot be read.
    """

    def __init__(
        self, issuers: Iterable[PinnedIssuer], tls: ssl.SSLContext | None = None
    ) -> None:
        self._tls = tls
        self._held: dict[str, _Held] = {}
        self._fetching: dict[str, asyncio.Task[str]] = {}
        self.swap(issuers)

    def swap(self, issuers: Iterable[PinnedIssuer]) -> None:
        """Apply other issuers, and read files again; fetched keys stay.

        Raises:
            UsageError: As above; nothing has changed then.
            EnvironmentRefused: As above; nothing has changed then.
        """
        self._held = {each.pin.name: self._hold(each) for each in issuers}
        self._serve(0)

    def issuers(self, now: float) -> Issuers:
        """Return the issuers with the keys that are usable now."""
        if now >= self._until:
            self._serve(now)
        return self._issuers

    def usable_until(self, issuer: str) -> float:
        """Return the NumericDate until which an issuer's keys are used."""
        return self._held[issuer].usable_until

    def has_any(self, issuer: str, now: float) -> bool:
        """Tell whether an issuer has a usable key now."""
        return now < self._held[issuer].usable_until

    def can_fetch(self, issuer: str, now: float) -> bool:
        """Tell whether a fetch is due or under way."""
        held = self._held[issuer]
        # After the clock went back, earlier times mean nothing.
        rested = not held.tried <= now < held.tried + held.pause
        return held.is_fetched and (rested or issuer in self._fetching)

    def due(self, now: float) -> tuple[str, ...]:
        """List the issuers whose keys are to be fetched again."""
        return tuple(
            name
            for name, held in self._held.items()
            if (now >= held.due or now < held.tried) and self.can_fetch(name, now)
        )

    async def fetch(self, issuer: str, now: float) -> str:
        """Fetch the keys of an issuer, once for all that wait.

        Returns:
            Empty, or the reason of a failure: a sentence for the operator.
        """
        held = self._held.get(issuer)
        if held is None:
            return "it is no longer configured"
        task = self._fetching.get(issuer)
        if task is None:
            task = asyncio.create_task(self._fetch(held, now))
            self._fetching[issuer] = task
            task.add_done_callback(lambda _: self._fetching.pop(issuer))
        # A cancelled waiter does not cancel the fetch of the others.
        return await asyncio.shield(task)

    async def _fetch(self, held: _Held, now: float) -> str:
        held.tried = now
        try:
            fetched = await _fetched(held)
            keys = read_key_set(fetched.document, held.pinned.pin.algs)
        except (Unfetched, KeySetRefused) as error:
            return error.message
        held.keys = keys
        held.due = now + fetched.fresh
        held.usable_until = held.due + OUTAGE
        self._serve(now)
        return ""

    def _hold(self, pinned: PinnedIssuer) -> _Held:
        held = self._held.get(pinned.pin.name)
        if _is_fetched(pinned):
            # The file of certificates may have been replaced.
            tls = _trusted(pinned) if pinned.ca else self._tls
            # Keys fetched under a removed authority are dropped.
            if held is None or held.pinned != pinned or _lost(held.tls, tls):
                held = _Held(pinned)
            held.tls = tls
            return held
        document = _read(Path(pinned.keys))
        try:
            keys = read_key_set(document, pinned.pin.algs)
        except KeySetRefused as refused:
            where = f"issuer {pinned.pin.name}: {pinned.keys}: "
            raise UsageError(where + refused.message) from None
        return _Held(pinned, keys, due=inf, usable_until=inf)

    def _serve(self, now: float) -> None:
        """Rebuild the issuers without expired keys."""
        held = self._held.values()
        usable = {each.pinned.pin.name for each in held if now < each.usable_until}
        self._issuers = Issuers(
            *(
                KnownIssuer(
                    each.pinned.pin,
                    each.pinned.audience,
                    each.keys if each.pinned.pin.name in usable else _NONE_YET,
                )
                for each in held
            )
        )
        ends = (each.usable_until for each in held)
        self._until = min((end for end in ends if end > now), default=inf)


def _lost(before: ssl.SSLContext | None, now: ssl.SSLContext | None) -> bool:
    """Tell whether an authority was removed."""
    if before is None or now is None:
        return before is not now
    left = now.get_ca_certs(binary_form=True)
    return any(each not in left for each in before.get_ca_certs(binary_form=True))


def _is_fetched(pinned: PinnedIssuer) -> bool:
    return pinned.keys == DISCOVERY or pinned.keys.startswith(("https://", UNIX))


async def _fetched(held: _Held) -> Fetched:
    pinned = held.pinned
    if pinned.keys.startswith(UNIX):
        socket = pinned.keys.removeprefix(UNIX)
        return await fetch_document(Place(OWN_KEYS, unix=socket), MAX_BYTES)
    place = Place(pinned.keys, held.tls, pinned.private)
    if pinned.keys == DISCOVERY:
        return await fetch_discovered(pinned.pin.iss, place, MAX_BYTES)
    return await fetch_document(place, MAX_BYTES)


def _trusted(pinned: PinnedIssuer) -> ssl.SSLContext:
    try:
        return client_context(pinned.ca)
    except ssl.SSLError:
        raise UsageError(
            f"issuer {pinned.pin.name}: {pinned.ca} holds no certificate"
        ) from None
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot read {pinned.ca} ({error.strerror})",
            "set `ca` to the authority of the issuer's certificate",
        ) from None


def _read(path: Path) -> bytes:
    try:
        return read_named(path, MAX_BYTES + 1)
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot read {path} ({error.strerror})", "name the issuer's JWK set"
        ) from None
