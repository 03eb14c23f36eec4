"""Cache of tokens for servers, exchanged at the token service for the caller of a call.

A server with an `audience` gets a token that our token service issued for it, under the
caller's delegation. It is requested once for each delegation and server, and renewed in
the background when a fifth of its lifetime is left. While the service is down, a cached
token is used to its end, and no longer. A token that its server rejected is requested
again by the next call of that delegation; where that does not help, it is used as
before.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from answerable.federation.errors import TokenRefused
from answerable.federation.jws_parsing import admit
from answerable.gateway.upstream_credentials.credential import Credential, is_fit
from answerable.gateway.upstream_credentials.leak_filter import NONE, Leaks
from answerable.gateway.upstream_credentials.refresh import Anew
from answerable.model.caller import Caller
from answerable.model.claims import TokenType
from answerable.model.config import Config
from answerable.model.exchange import GrantType
from answerable.server.issuers.allowed_addresses import Unfetched
from answerable.server.issuers.http_fetch import Place, ask

PATH = "/gateway/token"
MAX_ANSWER = 64 * 1024  # bytes
MAX_KEPT = 4096  # tokens; the least recently used one is evicted
RENEWED_AT = 0.8  # of its lifetimetime
SPARED = 5  # seconds before its expiry in which a token is no longer used
PATIENCE = 1.0  # seconds after a failure before it is asked again, for the same call

_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

Key = tuple[str, str, str]


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: int


_ANSWER = msgspec.json.Decoder(_Answer, strict=True)


class Tokens:
    """Tokens for the servers of one worker.

    Args:
        config: Names the audiences, and the token service.
        clock: Returns the time as a NumericDate.
        spawn: Starts a background task.
    """

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[None, None, None]], None],
    ) -> None:
        self._clock, self._spawn = clock, spawn
        self._kept: OrderedDict[Key, Credential] = OrderedDict()
        self._failed: dict[Key, float] = {}  # until when it is not asked again
        self._aside: dict[Key, Credential] = {}  # rejected, until renewed
        self._anew = Anew(clock)
        self._asking: dict[Key, asyncio.Future[None]]
        self.swap(config)

    def swap(self, config: Config) -> None:
        """Apply another configuration; cached tokens are no longer used."""
        self._audiences: Mapping[str, str] = {
            server.name: server.audience for server in config.servers if server.audience
        }
        self._place, self._iss = place_of(config), config.sts.url if config.sts else ""
        # They are no longer used, and still searched in answers.
        for key, kept in self._kept.items():
            self._kept[key] = replace(kept, until=0.0)
        self._asking = {}
        self._aside.clear()
        self._failed.clear()

    def needs(self, server: str) -> bool:
        """Tell whether a server gets a token."""
        return server in self._audiences

    def identity(self, caller: Caller) -> str:
        """Return the principal that a server sees for a caller."""
        return f"{self._iss}/{caller.agent}"

    def find(self, caller: Caller, server: str, token: str) -> Credential | None:
        """Return the cached token for a call; None where it is missing or expired.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            token: The caller's own token, for a renewal.
        """
        key = _key(caller, server)
        kept, now = self._kept.get(key), self._clock()
        if kept is None or now >= kept.until:
            return None
        self._kept.move_to_end(key)
        if now >= kept.renewal and key not in self._asking and not self._rests(key):
            self._spawn(self.get(caller, server, token))
        return kept

    def in_force(self, caller: Caller, server: str) -> Credential | None:
        """Return the cached token; None where it is missing or expired."""
        kept = self._kept.get(_key(caller, server))
        return None if kept is None or self._clock() >= kept.until else kept

    def refuse(self, caller: Caller, server: str, shown: Credential) -> bool:
        """Schedule a new request, since the server rejected the token.

        Returns:
            Whether it is scheduled; not where another one is in use by now, or shortly
            after the last time.
        """
        key = _key(caller, server)
        kept = self._kept.get(key)
        if kept is None or kept.digest != shown.digest or key in self._aside:
            return False
        if self._rests(key) or not self._anew.may(key):
            return False
        self._aside[key] = replace(kept, renewal=0.0)
        self._kept[key] = replace(kept, until=0.0)
        return True

    async def get(self, caller: Caller, server: str, token: str) -> None:
        """Request a token, once for all waiting calls; `find` then returns it.

        After a reload in the meantime the answer is dropped, and the token is requested
        again.
        """
        asked = None
        while asked is not self._audiences and self.needs(server):
            asked = self._audiences
            await self._get(caller, server, token)

    async def _get(self, caller: Caller, server: str, token: str) -> None:
        key = _key(caller, server)
        if asking := self._asking.get(key):
            await asyncio.shield(asking)
            return
        if self._rests(key):
            return
        done = asyncio.get_running_loop().create_future()
        self._asking[key], audiences = done, self._audiences
        try:
            got = await self._ask(caller, server, token)
        finally:
            if self._asking.get(key) is done:
                del self._asking[key]
            done.set_result(None)
        if audiences is not self._audiences:
            return
        aside = self._aside.pop(key, None)
        if got is None:
            self._failed[key] = self._clock() + PATIENCE
            if aside is not None:
                self._kept[key] = aside
            return
        self._failed.pop(key, None)
        self._kept[key] = got
        if len(self._kept) > MAX_KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._aside.pop(gone, None)

    def _rests(self, key: Key) -> bool:
        """Tell whether the last request failed a moment ago."""
        now = self._clock()
        if len(self._failed) > MAX_KEPT:
            self._failed = {
                k: until for k, until in self._failed.items() if until > now
            }
        return now < self._failed.get(key, 0)

    async def _ask(self, caller: Caller, server: str, token: str) -> Credential | None:
        if self._place is None or not token:
            return None
        form = {
            "grant_type": GrantType.TOKEN_EXCHANGE.value,
            "subject_token": token,
            "subject_token_type": TokenType.ACCESS_TOKEN.value,
            "audience": self._audiences.get(server, ""),
        }
        try:
            body = urlencode(form).encode("ascii")
            said = await ask(self._place, MAX_ANSWER, "POST", _FORM, body)
            answer = _ANSWER.decode(said.document)
        except (Unfetched, msgspec.MsgspecError, UnicodeError):
            return None
        kept = self._kept.get(_key(caller, server))
        leaks = kept.leaks if kept else NONE
        return _credential(answer, self.identity(caller), self._clock(), leaks)


def place_of(config: Config) -> Place | None:
    """Return the unix socket of the token service, where the kernel identifies us."""
    listen = config.sts.listen if config.sts else ()
    unix = next((each.unix for each in listen if each.unix), "")
    return Place(f"http://localhost{PATH}", unix=unix) if unix else None


def _key(caller: Caller, server: str) -> Key:
    return caller.principal, caller.run, server


def _credential(
    answer: _Answer, identity: str, now: float, leaks: Leaks
) -> Credential | None:
    """Build the credential from an answer; a sender-constrained token is unusable."""
    token = answer.access_token
    if answer.token_type.lower() != "bearer" or not is_fit(token):
        return None
    life = float(answer.expires_in)
    return Credential(
        identity=identity,
        digest=hashlib.sha256(token.encode("ascii")).hexdigest(),
        jti=_jti(token),
        renewal=now + life * RENEWED_AT,
        until=now + life - SPARED,
        leaks=leaks.after(token),
        field=f"authorization: Bearer {token}\r\n".encode("ascii"),
    )


def _jti(token: str) -> str:
    """Read the id of a token of our own service, for the record alone."""
    try:
        payload = admit(token).payload
    except TokenRefused:
        return ""
    jti = payload.get("jti")
    return jti if isinstance(jti, str) else ""
