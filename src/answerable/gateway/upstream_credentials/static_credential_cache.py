"""Cache the operator's credentials for servers, and renew them in the background.

A file is checked every second and read again when it changes. The output of a command
is renewed when a fifth of its lifetime is left. A credential that cannot be renewed is
used to the end of its lifetime; one whose file is gone or open to others, for five
seconds. A credential that its server rejected is renewed by the next call; where that
does not help, it is used as before.
"""

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from msgspec.structs import replace

from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.leak_filter import NO_SECRETS
from answerable.gateway.upstream_credentials.logged_tokens import hash_logged_token
from answerable.gateway.upstream_credentials.refresh_backoff import RefreshBackoff
from answerable.gateway.upstream_credentials.secret_sources import (
    FileStamp,
    ProcessGroups,
    file_stamp,
    read_secret,
)
from answerable.model.config import UpstreamServer
from answerable.model.errors import AnswerableError
from answerable.model.ids import (
    build_command_credential_id,
    build_fingerprint_credential_id,
)
from answerable.model.upstream_credential import UpstreamCredential

CHECK_INTERVAL = 1.0  # seconds between two checks
RENEW_FRACTION = 0.8  # of its lifetimetime
WITHDRAW_AFTER = (
    5.0  # seconds that one is used when its file is invalid: it may be replaced
)
MIN_RETRY_DELAY, MAX_RETRY_DELAY = 1.0, 30.0  # seconds after a failure
FOREVER = float("inf")

REFUSED_EVENT, TAKEN_EVENT = "credential.refused", "credential.taken"
CredentialListener = Callable[[str, str, str], None]


@dataclass(slots=True, eq=False)
class _CachedSource:
    """Cached credential of one server."""

    source: UpstreamCredential
    shown: PresentedCredential | None = None
    aside: PresentedCredential | None = (
        None  # rejected by its server, until it is renewed
    )
    stamp: FileStamp = ()
    why: str = ""  # last reported failure, empty where it is valid
    patience: float = 0.0
    not_before: float = 0.0
    reading: asyncio.Future[None] | None = None
    look: asyncio.Task[None] | None = None


class StaticCredentialCache:
    """Operator credentials of the servers, for one worker.

    Args:
        clock: Returns the time as a NumericDate.
        fingerprint: Returns the keyed fingerprint of a secret, hex; called in a thread.
        tell: Called with (event, server, reason) for the operator.
    """

    def __init__(
        self,
        clock: Callable[[], float],
        fingerprint: Callable[[str], str],
        tell: CredentialListener,
    ) -> None:
        self._clock, self._fingerprint, self._tell = clock, fingerprint, tell
        self._kept: Mapping[str, _CachedSource] = {}
        self._groups = ProcessGroups()
        self._anew = RefreshBackoff(clock)

    def reconfigure(self, servers: tuple[UpstreamServer, ...]) -> None:
        """Apply another configuration; unchanged credentials are kept and renewed."""
        before = self._kept
        self._kept = {
            each.name: _CachedSource(each.credential)
            for each in servers
            if each.credential
        }
        for name, kept in self._kept.items():
            known = before.get(name)
            if known is not None and known.source == kept.source and known.shown:
                kept.shown = replace(known.aside or known.shown, renewal=0.0)

    def __contains__(self, server: str) -> bool:
        return server in self._kept

    def find_credential(self, server: str) -> PresentedCredential | None:
        """Return the cached credential; None if it is missing or expired."""
        kept = self._kept[server]
        shown = kept.shown
        return None if shown is None or self._clock() >= shown.until else shown

    def upstream_principal(self, server: str) -> str:
        """Return the principal that a server sees; empty while it is unknown."""
        kept = self._kept[server]
        if kept.source.command:
            return build_command_credential_id(server)
        return kept.shown.identity if kept.shown is not None else ""

    def renew_rejected_credential(
        self, server: str, credential: PresentedCredential
    ) -> bool:
        """Schedule a renewal, since the server rejected the credential.

        Returns:
            Whether it is scheduled; not where another one is in use by now, or shortly
            after the last time.
        """
        kept = self._kept.get(server)
        if kept is None or kept.shown is None or kept.shown.digest != credential.digest:
            return False
        if kept.aside is not None:
            return False  # that is under way
        if self._clock() < kept.not_before or not self._anew.may_refresh(server):
            return False
        kept.aside = replace(kept.shown, renewal=0.0)
        kept.shown = replace(kept.shown, renewal=0.0, until=0.0)
        return True

    @property
    def failed_count(self) -> int:
        """Return the number of credentials whose last renewal failed."""
        return sum(bool(kept.why) for kept in self._kept.values())

    async def fetch_credential(self, server: str) -> None:
        """Read the credential once for all waiting calls; `find_credential` then returns it."""
        kept = self._kept.get(server)
        if kept is None:
            return
        if kept.reading is not None:
            await asyncio.shield(kept.reading)
        elif self._clock() >= kept.not_before:
            await self._fetch_once(server, kept)

    async def renew_credentials_forever(self) -> None:
        """Renew credentials before they are needed, until cancelled."""
        while True:
            for server, kept in self._kept.items():
                # A command or a disk may be slow: the others are checked meanwhile.
                if kept.look is None or kept.look.done():
                    kept.look = asyncio.create_task(self._refresh_if_due(server, kept))
            await asyncio.sleep(CHECK_INTERVAL)

    def close(self) -> None:
        """Kill the running commands."""
        self._groups.kill_all()

    async def _refresh_if_due(self, server: str, cached: _CachedSource) -> None:
        """Fetch the credential of a server if it is due."""
        if await self._is_due(cached):
            await self.fetch_credential(server)

    async def _is_due(self, cached: _CachedSource) -> bool:
        """Return whether a credential expires soon, or its file has changed."""
        source, shown, now = cached.source, cached.shown, self._clock()
        if source.file and await asyncio.to_thread(file_stamp, source) != cached.stamp:
            cached.not_before = 0.0
            return True
        is_over = shown is None or now >= min(shown.renewal, shown.until)
        return is_over and now >= cached.not_before

    async def _fetch_once(self, server: str, cached: _CachedSource) -> None:
        """Read a secret from its source, and store it or note the failure."""
        done = asyncio.get_running_loop().create_future()
        cached.reading = done
        try:
            # Before reading: a file that changes meanwhile is read again.
            if cached.source.file:
                cached.stamp = await asyncio.to_thread(file_stamp, cached.source)
            got = await asyncio.to_thread(self._read_secret, cached.source)
        except AnswerableError as why:
            self._record_failure(server, cached, why.message)
        else:
            self._store_secret(server, cached, *got)
        finally:
            cached.reading = None
            done.set_result(None)

    def _read_secret(self, source: UpstreamCredential) -> tuple[str, str]:
        """Read a secret, and compute its fingerprint."""
        secret = read_secret(source, self._groups)
        return secret, self._fingerprint(secret)

    def _store_secret(
        self, server: str, cached: _CachedSource, secret: str, digest: str
    ) -> None:
        """Replace the cached credential by one with the secret just read."""
        now, source = self._clock(), cached.source
        leaks = (cached.shown.leaks if cached.shown else NO_SECRETS).with_secret(secret)
        scheme = f"{source.scheme} " if source.scheme else ""
        field = f"{source.header}: {scheme}{secret}\r\n" if source.header else ""
        cached.shown = PresentedCredential(
            identity=build_command_credential_id(server)
            if source.command
            else build_fingerprint_credential_id(digest),
            digest=hash_logged_token(secret) or digest,
            jti="",
            renewal=now + source.ttl * RENEW_FRACTION if source.ttl else FOREVER,
            until=now + source.ttl if source.ttl else FOREVER,
            leaks=leaks,
            field=field.encode("ascii"),
            environment={source.as_env: secret} if source.as_env else {},
        )
        cached.aside = None
        cached.patience = cached.not_before = 0.0
        if cached.why:
            cached.why = ""
            self._tell(TAKEN_EVENT, server, "")

    def _record_failure(self, server: str, cached: _CachedSource, reason: str) -> None:
        """Schedule a retry, with backoff, and report a new reason."""
        now = self._clock()
        cached.patience = min(
            max(MIN_RETRY_DELAY, cached.patience * 2), MAX_RETRY_DELAY
        )
        cached.not_before = now + cached.patience
        # The rejection may have concerned one call, and there is no other credential.
        cached.shown, cached.aside = cached.aside or cached.shown, None
        if cached.shown is not None and not cached.source.command:
            until = min(cached.shown.until, now + WITHDRAW_AFTER)
            cached.shown = replace(cached.shown, until=until)
        if cached.why != reason:
            cached.why = reason
            self._tell(REFUSED_EVENT, server, reason)
