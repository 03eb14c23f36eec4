"""Provide the credential that the gateway presents to a server.

A server with an `audience` gets a token of our token service for the caller of the
call. A server with a `credential` gets the operator's, for every caller. Both live in
the memory of this process alone and are fetched off the path of calls.
"""

from collections.abc import Callable, Coroutine

from answerable.gateway.upstream_credentials.credential import PresentedCredential
from answerable.gateway.upstream_credentials.exchanged_token_cache import (
    UpstreamTokenCache,
)
from answerable.gateway.upstream_credentials.static_credential_cache import (
    CredentialListener,
    StaticCredentialCache,
)
from answerable.model.caller import VerifiedCaller
from answerable.model.config import Config, UpstreamServer

LEAKED_EVENT, STALE_EVENT = "credential.leaked", "credential.stale"


class CredentialProvider:
    """Credentials to present to servers, for one worker.

    Args:
        config: Names the credential of each server.
        clock: Returns the time as a NumericDate.
        spawn: Starts a background task.
        fingerprint: Returns the keyed fingerprint of a secret, hex.
        tell: Called with (event, server, detail) for the operator.
    """

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float],
        spawn: Callable[[Coroutine[None, None, None]], None],
        fingerprint: Callable[[str], str],
        tell: CredentialListener,
    ) -> None:
        self._tokens = UpstreamTokenCache(config, clock, spawn)
        self._held = StaticCredentialCache(clock, fingerprint, tell)
        self._tell = tell
        self._index_servers(config)

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration from now on."""
        self._tokens.reconfigure(config)
        self._index_servers(config)

    def get_server(self, server: str) -> UpstreamServer | None:
        """Return the current configuration of an upstream server."""
        return self._servers.get(server)

    def needs_credential(self, server: str) -> bool:
        """Return whether the gateway adds a credential to calls of a server."""
        return server in self._shown

    def upstream_principal(self, caller: VerifiedCaller, server: str) -> str:
        """Return the principal that a server sees for a caller; empty where unknown.

        It is known before a token exists, so that it can be an input of the decision.
        """
        if server not in self._shown:
            return ""
        if server in self._held:
            return self._held.upstream_principal(server)
        return self._tokens.upstream_principal(caller)

    def find_credential(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> PresentedCredential | None:
        """Return the cached credential for a call; None where it is missing or expired.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            token: The caller's own token, exchanged for another when it is renewed.
        """
        if server in self._held:
            return self._held.find_credential(server)
        return self._tokens.find_token(caller, server, token)

    async def fetch_credential(
        self, caller: VerifiedCaller, server: str, token: str
    ) -> None:
        """Fetch the credential, once for all waiting calls; `find_credential` then returns it.

        A credential that arrived in the meantime is not fetched again.
        """
        if self.find_credential(caller, server, token) is not None:
            return
        if server in self._held:
            await self._held.fetch_credential(server)
        else:
            await self._tokens.fetch_token(caller, server, token)

    def get_cached_credential(
        self, caller: VerifiedCaller, server: str
    ) -> PresentedCredential | None:
        """Return the cached credential without fetching another one."""
        if server in self._held:
            return self._held.find_credential(server)
        return self._tokens.get_cached_token(caller, server)

    def report_rejected_credential(
        self,
        caller: VerifiedCaller,
        server: str,
        credential: PresentedCredential,
        status: int,
    ) -> None:
        """Note that a server rejected a call because of its credential.

        The next call fetches a new one. The call itself is not repeated: only its
        caller can judge its effect.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            credential: The rejected credential.
            status: HTTP status of the answer.
        """
        if server in self._held:
            is_stale = self._held.renew_rejected_credential(server, credential)
        else:
            is_stale = self._tokens.renew_rejected_token(caller, server, credential)
        if is_stale:
            self._tell(STALE_EVENT, server, f"the server returned {status}")

    async def fetch_static(self, server: str) -> PresentedCredential | None:
        """Fetch the operator's credential for a server's process; None without one."""
        await self._held.fetch_credential(server)
        return self._held.find_credential(server)

    @property
    def failed_count(self) -> int:
        """Return the number of operator credentials whose last fetch failed."""
        return self._held.failed_count

    async def renew_credentials_forever(self) -> None:
        """Refresh operator credentials before they expire, until cancelled."""
        await self._held.renew_credentials_forever()

    def _index_servers(self, config: Config) -> None:
        """Index the servers that get a credential."""
        self._held.reconfigure(config.servers)
        self._servers = {each.name: each for each in config.servers}
        # Every call asks whether its server is among them.
        self._shown = frozenset(
            each.name for each in config.servers if each.credential or each.audience
        )

    def close(self) -> None:
        """Stop fetching; fetches under way are aborted."""
        self._held.close()

    def report_leak(self, server: str, decision_id: str) -> None:
        """Report that a server returned the credential it was given."""
        self._tell(LEAKED_EVENT, server, decision_id)
