"""Credentials that the gateway presents to servers in place of the caller's own token.

A server with an `audience` gets a token of our token service for the caller of the
call. A server with a `credential` gets the operator's, for every caller. Both live in
the memory of this process alone and are fetched off the path of calls.
"""

from collections.abc import Callable, Coroutine

from answerable.gateway.upstream_credentials.cache import Held, Tell
from answerable.gateway.upstream_credentials.credential import Credential
from answerable.gateway.upstream_credentials.token_cache import Tokens
from answerable.model.caller import Caller
from answerable.model.config import Config, Server

LEAKED, STALE = "credential.leaked", "credential.stale"


class Credentials:
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
        tell: Tell,
    ) -> None:
        self._tokens = Tokens(config, clock, spawn)
        self._held = Held(clock, fingerprint, tell)
        self._tell = tell
        self._hold(config)

    def swap(self, config: Config) -> None:
        """Apply another configuration from now on."""
        self._tokens.swap(config)
        self._hold(config)

    def configured(self, server: str) -> Server | None:
        """Return a server as it is configured now."""
        return self._servers.get(server)

    def needs(self, server: str) -> bool:
        """Tell whether a server gets a credential."""
        return server in self._shown

    def identity(self, caller: Caller, server: str) -> str:
        """Return the principal that a server sees for a caller; empty where unknown.

        It is known before a token exists, so that it can be an input of the decision.
        """
        if server not in self._shown:
            return ""
        if server in self._held:
            return self._held.identity(server)
        return self._tokens.identity(caller)

    def find(self, caller: Caller, server: str, token: str) -> Credential | None:
        """Return the cached credential for a call; None where it is missing or expired.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            token: The caller's own token, exchanged for another when it is renewed.
        """
        if server in self._held:
            return self._held.find(server)
        return self._tokens.find(caller, server, token)

    async def get(self, caller: Caller, server: str, token: str) -> None:
        """Fetch the credential, once for all waiting calls; `find` then returns it.

        A credential that arrived in the meantime is not fetched again.
        """
        if self.find(caller, server, token) is not None:
            return
        if server in self._held:
            await self._held.get(server)
        else:
            await self._tokens.get(caller, server, token)

    def in_force(self, caller: Caller, server: str) -> Credential | None:
        """Return the cached credential without fetching another one."""
        if server in self._held:
            return self._held.find(server)
        return self._tokens.in_force(caller, server)

    def refuse(
        self, caller: Caller, server: str, shown: Credential, status: int
    ) -> None:
        """Note that a server rejected a call because of its credential.

        The next call fetches a new one. The call itself is not repeated: only its
        caller can judge its effect.

        Args:
            caller: Caller of the call.
            server: Destination of the call.
            shown: The rejected credential.
            status: HTTP status of the answer.
        """
        if server in self._held:
            is_stale = self._held.refuse(server, shown)
        else:
            is_stale = self._tokens.refuse(caller, server, shown)
        if is_stale:
            self._tell(STALE, server, f"it answered {status}")

    async def given(self, server: str) -> Credential | None:
        """Fetch the operator's credential for a server's process; None without one."""
        await self._held.get(server)
        return self._held.find(server)

    @property
    def refused(self) -> int:
        """Number of operator credentials whose last fetch failed."""
        return self._held.refused

    async def keep_fresh(self) -> None:
        """Refresh operator credentials before they expire, until cancelled."""
        await self._held.keep_fresh()

    def _hold(self, config: Config) -> None:
        self._held.swap(config.servers)
        self._servers = {each.name: each for each in config.servers}
        # Every call asks whether its server is among them.
        self._shown = frozenset(
            each.name for each in config.servers if each.credential or each.audience
        )

    def close(self) -> None:
        """Stop fetching; fetches under way are aborted."""
        self._held.close()

    def leaked(self, server: str, decision_id: str) -> None:
        """Report that a server returned the credential it was given."""
        self._tell(LEAKED, server, decision_id)
