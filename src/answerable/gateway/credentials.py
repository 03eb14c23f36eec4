"""What servers are shown in place of the caller's own token, which stops at the gateway.

A server with an `audience` is shown a token of our token service, for the caller of a
call; one with a `credential` what an operator keeps for it, whoever calls. Either lives
in the memory of this process alone, and is got beside the calls.
"""

from collections.abc import Callable, Coroutine

from answerable.gateway.shown.credential import Credential
from answerable.gateway.shown.held import Held, Tell
from answerable.gateway.shown.tokens import Tokens
from answerable.model.caller import Caller
from answerable.model.config import Config, Server

LEAKED, STALE = "credential.leaked", "credential.stale"


class Credentials:
    """Knows what servers are shown, for one worker.

    Args:
        config: Says which servers are shown what.
        clock: Gives the time as a NumericDate.
        spawn: Has something done beside the calls.
        fingerprint: Gives the keyed fingerprint of a secret, hex.
        tell: Is told (event, server, what) of what an operator should know.
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
        """Show what another configuration says from now on."""
        self._tokens.swap(config)
        self._hold(config)

    def configured(self, server: str) -> Server | None:
        """Give a server as it is configured now."""
        return self._servers.get(server)

    def needs(self, server: str) -> bool:
        """Say whether a server is shown something."""
        return server in self._shown

    def identity(self, caller: Caller, server: str) -> str:
        """Name whom a server sees a call come from, empty for nobody that is known.

        It is known before there is a token, so that it can be decided on.
        """
        if server not in self._shown:
            return ""
        if server in self._held:
            return self._held.identity(server)
        return self._tokens.identity(caller)

    def find(self, caller: Caller, server: str, token: str) -> Credential | None:
        """Give what is kept for a call, None where there is none or none that lasts.

        Args:
            caller: Of the call.
            server: Where it goes.
            token: The caller's own; another one is asked for with it.
        """
        if server in self._held:
            return self._held.find(server)
        return self._tokens.find(caller, server, token)

    async def get(self, caller: Caller, server: str, token: str) -> None:
        """Get it, once for all who wait; `find` then gives what came.

        Who found nothing comes here a moment later, and by then it may have come.
        """
        if self.find(caller, server, token) is not None:
            return
        if server in self._held:
            await self._held.get(server)
        else:
            await self._tokens.get(caller, server, token)

    def in_force(self, caller: Caller, server: str) -> Credential | None:
        """Give what is shown by now to who was shown something; nothing is asked for."""
        if server in self._held:
            return self._held.find(server)
        return self._tokens.in_force(caller, server)

    def refuse(
        self, caller: Caller, server: str, shown: Credential, status: int
    ) -> None:
        """Take note that a server refused a call for what it was shown.

        The next call gets it anew. The call itself is not sent again: what became of
        it only its caller can judge.

        Args:
            caller: Of the call.
            server: Where it went.
            shown: What that was shown.
            status: Its answer.
        """
        if server in self._held:
            is_stale = self._held.refuse(server, shown)
        else:
            is_stale = self._tokens.refuse(caller, server, shown)
        if is_stale:
            self._tell(STALE, server, f"it answered {status}")

    async def given(self, server: str) -> Credential | None:
        """Get what an operator keeps for the process of a server, None without it."""
        await self._held.get(server)
        return self._held.find(server)

    @property
    def refused(self) -> int:
        """How many that an operator keeps could not be got when that was tried last."""
        return self._held.refused

    async def keep_fresh(self) -> None:
        """Get what an operator keeps before it is asked for, until cancelled."""
        await self._held.keep_fresh()

    def _hold(self, config: Config) -> None:
        self._held.swap(config.servers)
        self._servers = {each.name: each for each in config.servers}
        # Every call asks whether its server is among them.
        self._shown = frozenset(
            each.name for each in config.servers if each.credential or each.audience
        )

    def close(self) -> None:
        """Get nothing more; what is under way ends."""
        self._held.close()

    def leaked(self, server: str, decision_id: str) -> None:
        """Tell that a server gave back what it was shown."""
        self._tell(LEAKED, server, decision_id)
