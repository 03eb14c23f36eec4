"""Cache access tokens for servers, exchanged at the token service for each caller.

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

from answerable.federation.jws_parsing import parse_jws
from answerable.federation.token_errors import TokenRejected
from answerable.gateway.upstream_credentials.credential import (
    PresentedCredential,
    is_sendable,
)
from answerable.gateway.upstream_credentials.leak_filter import (
    NO_SECRETS,
    SecretPatterns,
)
from answerable.gateway.upstream_credentials.refresh_backoff import RefreshBackoff
from answerable.model.caller import VerifiedCaller
from answerable.model.config import Config
from answerable.model.token_claims import TokenType
from answerable.model.token_request import GrantType
from answerable.server.issuers.allowed_addresses import FetchFailed
from answerable.server.issuers.http_fetch import FetchLocation, send_https_request

PATH = "/gateway/token"
MAX_ANSWER = 64 * 1024  # bytes
MAX_KEPT = 4096  # tokens; the least recently used one is evicted
RENEW_FRACTION = 0.8  # of its lifetimetime
EXPIRY_MARGIN = 5  # seconds before its expiry in which a token is no longer used
RETRY_DELAY = 1.0  # seconds after a failure before it is asked again, for the same call

_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

TokenKey = tuple[str, str, str]


class _TokenAnswer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: int


_token_answer_decoder = msgspec.json.Decoder(_TokenAnswer, strict=True)


class UpstreamTokenCache:
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
        self._kept: OrderedDict[TokenKey, PresentedCredential] = OrderedDict()
        self._failed: dict[TokenKey, float] = {}  # until when it is not asked again
        self._aside: dict[TokenKey, PresentedCredential] = {}  # rejected, until renewed
        self._anew = RefreshBackoff(clock)
        self._asking: dict[TokenKey, asyncio.Future[None]]
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration; cached tokens are no longer used."""
        self._audiences: Mapping[str, str] = {
            server.name: server.audience for server in config.servers if server.audience
        }
        self._place, self._iss = (
            token_service_socket(config),
            config.sts.url if config.sts else "",
        )
        # They are no longer used, and still searched in answers.
        for key, kept in self._kept.items():
            self._kept[key] = replace(kept, until=0.0)
        self._asking = {}
        self._aside.clear()
        self._failed.clear()

    def needs_token(self, server: str) -> bool:
        """Return whether calls of a server carry an exchanged token."""
        return server in self._audiences

    def upstream_principal(self, caller: VerifiedCaller) -> str:
        """Return the principal that a server sees for a caller."""
        return f"{self._iss}/{caller.agent}"

    def find_token(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> PresentedCredential | None:
        """Return the cached token for a call; None where it is missing or expired.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            token: The caller's own token, for a renewal.
        """
        key = _token_cache_key(caller, server)
        kept, now = self._kept.get(key), self._clock()
        if kept is None or now >= kept.until:
            return None
        self._kept.move_to_end(key)
        if (
            now >= kept.renewal
            and key not in self._asking
            and not self._is_backing_off(key)
        ):
            self._spawn(self.fetch_token(caller, server, token))
        return kept

    def get_cached_token(
        self, caller: VerifiedCaller, server: str
    ) -> PresentedCredential | None:
        """Return the cached token; None where it is missing or expired."""
        kept = self._kept.get(_token_cache_key(caller, server))
        return None if kept is None or self._clock() >= kept.until else kept

    def renew_rejected_token(
        self, caller: VerifiedCaller, server: str, credential: PresentedCredential
    ) -> bool:
        """Schedule a new request, since the server rejected the token.

        Returns:
            Whether it is scheduled; not where another one is in use by now, or shortly
            after the last time.
        """
        key = _token_cache_key(caller, server)
        kept = self._kept.get(key)
        if kept is None or kept.digest != credential.digest or key in self._aside:
            return False
        if self._is_backing_off(key) or not self._anew.may_refresh(key):
            return False
        self._aside[key] = replace(kept, renewal=0.0)
        self._kept[key] = replace(kept, until=0.0)
        return True

    async def fetch_token(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> None:
        """Request a token, once for all waiting calls; `find_token` then returns it.

        After a reload in the meantime the answer is dropped, and the token is requested
        again.
        """
        asked = None
        while asked is not self._audiences and self.needs_token(server):
            asked = self._audiences
            await self._fetch_once(caller, server, token)

    async def _fetch_once(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> None:
        """Request a token and cache it; concurrent calls share one request."""
        key = _token_cache_key(caller, server)
        if asking := self._asking.get(key):
            await asyncio.shield(asking)
            return
        if self._is_backing_off(key):
            return
        done = asyncio.get_running_loop().create_future()
        self._asking[key], audiences = done, self._audiences
        try:
            got = await self._request_token(caller, server, token)
        finally:
            if self._asking.get(key) is done:
                del self._asking[key]
            done.set_result(None)
        if audiences is not self._audiences:
            return
        aside = self._aside.pop(key, None)
        if got is None:
            self._failed[key] = self._clock() + RETRY_DELAY
            if aside is not None:
                self._kept[key] = aside
            return
        self._failed.pop(key, None)
        self._kept[key] = got
        if len(self._kept) > MAX_KEPT:
            gone, _ = self._kept.popitem(last=False)
            self._aside.pop(gone, None)

    def _is_backing_off(self, key: TokenKey) -> bool:
        """Return whether the last request failed a moment ago."""
        now = self._clock()
        if len(self._failed) > MAX_KEPT:
            self._failed = {
                k: until for k, until in self._failed.items() if until > now
            }
        return now < self._failed.get(key, 0)

    async def _request_token(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> PresentedCredential | None:
        """Exchange the caller's token (RFC 8693); None if that fails."""
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
            said = await send_https_request(
                self._place, MAX_ANSWER, "POST", _FORM, body
            )
            answer = _token_answer_decoder.decode(said.document)
        except (FetchFailed, msgspec.MsgspecError, UnicodeError):
            return None
        kept = self._kept.get(_token_cache_key(caller, server))
        leaks = kept.leaks if kept else NO_SECRETS
        return _build_credential(
            answer, self.upstream_principal(caller), self._clock(), leaks
        )


def token_service_socket(config: Config) -> FetchLocation | None:
    """Return the unix socket of the token service, where the kernel identifies us."""
    listen = config.sts.listen if config.sts else ()
    unix = next((each.unix for each in listen if each.unix), "")
    return FetchLocation(f"http://localhost{PATH}", unix=unix) if unix else None


def _token_cache_key(caller: VerifiedCaller, server: str) -> TokenKey:
    """Return the cache key: caller, its run and the server."""
    return caller.principal, caller.run, server


def _build_credential(
    answer: _TokenAnswer, identity: str, now: float, leak_patterns: SecretPatterns
) -> PresentedCredential | None:
    """Build the credential from an answer; a sender-constrained token is unusable."""
    token = answer.access_token
    if answer.token_type.lower() != "bearer" or not is_sendable(token):
        return None
    life = float(answer.expires_in)
    return PresentedCredential(
        identity=identity,
        digest=hashlib.sha256(token.encode("ascii")).hexdigest(),
        jti=_read_jti(token),
        renewal=now + life * RENEW_FRACTION,
        until=now + life - EXPIRY_MARGIN,
        leaks=leak_patterns.with_secret(token),
        field=f"authorization: Bearer {token}\r\n".encode("ascii"),
    )


def _read_jti(token: str) -> str:
    """Read the id of a token of our own service, for the record alone."""
    try:
        payload = parse_jws(token).payload
    except TokenRejected:
        return ""
    jti = payload.get("jti")
    return jti if isinstance(jti, str) else ""
