"""The keys of the pinned issuers: read from files, or fetched and kept while good.

A set that was fetched is renewed as its answer's Cache-Control asks, between five minutes
and an hour, and off the path of a request. Where that fails, the last good set serves on
for an hour from when it was due: an issuer's outage stops nobody whose key is known, for
that long. So no key serves for more than two hours after its issuer last showed it.
"""

import asyncio
import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from math import inf
from pathlib import Path

from answerable.connectors.named_file import read_named
from answerable.federate.errors import KeySetRefused
from answerable.federate.key_set import MAX_BYTES, KeySet, read_key_set
from answerable.federate.verify import Issuers, KnownIssuer
from answerable.model.config import PinnedIssuer
from answerable.model.errors import EnvironmentRefused, UsageError
from answerable.serving.issuers.addresses import Unfetched
from answerable.serving.issuers.discovery import DISCOVERY, fetch_discovered
from answerable.serving.issuers.fetching import Fetched, Place, fetch_document
from answerable.serving.tls import client_context

OUTAGE = 3600  # seconds that a fetched set serves after it was due to be renewed
UNIX = "unix:"  # of the setting `keys`: a socket of our own token service
OWN_KEYS = "http://localhost/jwks"
PAUSE = 60  # seconds between two attempts for one issuer
OWN_PAUSE = 1  # likewise for our own token service, which starts when we do

_NONE_YET = KeySet({}, ())


@dataclass(slots=True)
class _Held:
    """The keys of one issuer as of now.

    Attributes:
        pinned: The issuer.
        keys: Of its set as last read.
        due: NumericDate to fetch it again.
        usable_until: NumericDate after which it serves no more.
        tried: NumericDate of the last attempt.
        tls: Whom to trust for it; the system's authorities where None.
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
        issuers: Of the configuration. Files are read at once, URLs on demand.
        tls: For fetching from an issuer without a `ca` of its own; the system's
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
        """Serve other issuers, and read files anew; what was fetched stays.

        Raises:
            UsageError: As above; nothing has changed then.
            EnvironmentRefused: As above; nothing has changed then.
        """
        self._held = {each.pin.name: self._hold(each) for each in issuers}
        self._serve(0)

    def issuers(self, now: float) -> Issuers:
        """Give the issuers with the keys that are usable now."""
        if now >= self._until:
            self._serve(now)
        return self._issuers

    def usable_until(self, issuer: str) -> float:
        """Tell how long the keys of an issuer serve, as a NumericDate."""
        return self._held[issuer].usable_until

    def has_any(self, issuer: str, now: float) -> bool:
        """Tell whether there is a key of that issuer that is usable now."""
        return now < self._held[issuer].usable_until

    def can_fetch(self, issuer: str, now: float) -> bool:
        """Tell whether asking the issuer again is in order, or under way."""
        held = self._held[issuer]
        # A clock that went back may be anywhere: then what it said before is nothing.
        rested = not held.tried <= now < held.tried + held.pause
        return held.is_fetched and (rested or issuer in self._fetching)

    def due(self, now: float) -> tuple[str, ...]:
        """Name the issuers whose keys are to be fetched again."""
        return tuple(
            name
            for name, held in self._held.items()
            if (now >= held.due or now < held.tried) and self.can_fetch(name, now)
        )

    async def fetch(self, issuer: str, now: float) -> str:
        """Fetch the keys of an issuer; whoever asks meanwhile waits for the same.

        Returns:
            Empty, or why it failed: a sentence for the operator.
        """
        held = self._held.get(issuer)
        if held is None:
            return "it is no longer configured"
        task = self._fetching.get(issuer)
        if task is None:
            task = asyncio.create_task(self._fetch(held, now))
            self._fetching[issuer] = task
            task.add_done_callback(lambda _: self._fetching.pop(issuer))
        # One who gives up waiting does not take the answer from the others.
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
            # Certificates may have been replaced under one name.
            tls = _trusted(pinned) if pinned.ca else self._tls
            # Keys that came over a connection of a removed authority count no more.
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
        """Make the issuers anew, without the keys that have served out."""
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
    """Tell whether an authority of before is not trusted any more."""
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
            "name who signs the issuer's certificate",
        ) from None


def _read(path: Path) -> bytes:
    try:
        return read_named(path, MAX_BYTES + 1)
    except OSError as error:
        raise EnvironmentRefused(
            f"cannot read {path} ({error.strerror})", "name the issuer's JWK set"
        ) from None
