"""Tokens that servers are shown: got from the token service, for the caller of a call.

A server that has an `audience` is shown a token that our token service gave for it,
under the caller's delegation. It is asked for once for each delegation and server, and
renewed when a fifth of its life is left, beside the calls. While the service is away,
what is kept serves to its end, and no longer. What a server refused is asked for anew by
the next call of that delegation; where nothing comes of that, it serves as before.
"""

import asyncio
import hashlib
from collections import OrderedDict
from collections.abc import Callable, Coroutine, Mapping
from urllib.parse import urlencode

import msgspec
from msgspec.structs import replace

from answerable.federate.admission import admit
from answerable.federate.errors import TokenRefused
from answerable.gateway.shown.anew import Anew
from answerable.gateway.shown.credential import Credential, is_fit
from answerable.gateway.shown.leaks import NONE, Leaks
from answerable.model.caller import Caller
from answerable.model.claims import TokenType
from answerable.model.config import Config
from answerable.model.exchange import GrantType
from answerable.serving.issuers.addresses import Unfetched
from answerable.serving.issuers.fetching import Place, ask

PATH = "/gateway/token"
MAX_ANSWER = 64 * 1024  # bytes
MAX_KEPT = 4096  # credentials; the longest unused goes first
RENEWED_AT = 0.8  # of its life
SPARED = 5  # seconds of its life in which none is shown any more: it has a way to go
PATIENCE = 1.0  # seconds after a failure before it is asked again, for the same call

_FORM = (("Content-Type", "application/x-www-form-urlencoded"),)

Key = tuple[str, str, str]


class _Answer(msgspec.Struct):
    access_token: str
    token_type: str
    expires_in: int


_ANSWER = msgspec.json.Decoder(_Answer, strict=True)


class Tokens:
    """Keeps the tokens that servers are shown, for one worker.

    Args:
        config: Says which servers are shown one, and where the service is.
        clock: Gives the time as a NumericDate.
        spawn: Has something done beside the calls.
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
        self._aside: dict[Key, Credential] = {}  # refused, until another one comes
        self._anew = Anew(clock)
        self._asking: dict[Key, asyncio.Future[None]]
        self.swap(config)

    def swap(self, config: Config) -> None:
        """Ask as another configuration says from now on; what is kept is not shown."""
        self._audiences: Mapping[str, str] = {
            server.name: server.audience for server in config.servers if server.audience
        }
        self._place, self._iss = place_of(config), config.sts.url if config.sts else ""
        # None is shown any more, and all are still looked for in what comes back.
        for key, kept in self._kept.items():
            self._kept[key] = replace(kept, until=0.0)
        self._asking = {}
        self._aside.clear()
        self._failed.clear()

    def needs(self, server: str) -> bool:
        """Say whether a server is shown a token."""
        return server in self._audiences

    def identity(self, caller: Caller) -> str:
        """Name the principal that a server sees a call of a caller come from."""
        return f"{self._iss}/{caller.agent}"

    def find(self, caller: Caller, server: str, token: str) -> Credential | None:
        """Give what is kept for a call, None where there is none or none that lasts.

        Args:
            caller: Of the call.
            server: Where it goes.
            token: The caller's own; what is renewed is asked for with it.
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
        """Give what is kept for a caller, None where that is none or none that lasts."""
        kept = self._kept.get(_key(caller, server))
        return None if kept is None or self._clock() >= kept.until else kept

    def refuse(self, caller: Caller, server: str, shown: Credential) -> bool:
        """Have another one asked for, as a server refused the one that it was shown.

        Returns:
            Whether that is done; not where there is another by now, or a moment after
            the last time.
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
        """Ask the service, once for all who wait; `find` then gives what came.

        Where a reload came meanwhile, what was asked for before it is forgotten, and it
        is asked for anew.
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
        """Say whether the service said no a moment ago."""
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
    """Find the unix socket of the token service, where the kernel names us to it."""
    listen = config.sts.listen if config.sts else ()
    unix = next((each.unix for each in listen if each.unix), "")
    return Place(f"http://localhost{PATH}", unix=unix) if unix else None


def _key(caller: Caller, server: str) -> Key:
    return caller.principal, caller.run, server


def _credential(
    answer: _Answer, identity: str, now: float, leaks: Leaks
) -> Credential | None:
    """Take an answer; a token that asks for a proof is none that we could show."""
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
    """Read the id of a token that our own service gave, for the record alone."""
    try:
        payload = admit(token).payload
    except TokenRefused:
        return ""
    jti = payload.get("jti")
    return jti if isinstance(jti, str) else ""
