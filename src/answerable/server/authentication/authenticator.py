"""Authentication of callers, the same for all servers.

    token bound to a certificate or key > peer of a unix socket > bearer token

An invalid token is refused, even where the kernel identifies the peer: a client that
sends one is judged by it.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache

from answerable.federation.errors import KeyUnknown, NonceRequired, Reason, TokenRefused
from answerable.model.caller import Caller, Shown
from answerable.model.config import Config
from answerable.model.ids import AgentId
from answerable.server.authentication import challenge
from answerable.server.authentication.agent_mapping import Agents, Found
from answerable.server.authentication.errors import Cause, KeysNeeded, Unidentified
from answerable.server.authentication.token_cache import Tokens
from answerable.server.client_certificates import with_valid_certificate
from answerable.server.connection_info import Link, UnixPeer
from answerable.server.dpop_replay_cache import Nonces
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.processes.held_process import boot_id
from answerable.server.processes.parent_process import Parent
from answerable.server.wire.request_head import Head

_PEERS = 1024  # cached callers of unix peers
_RENEWAL = 30  # seconds between two looks at which keys are due


class Callers:
    """Authenticates callers, for one worker.

    Args:
        config: Names pinned issuers and agents.
        keys: Keys of those issuers.
        clock: Returns the time as a NumericDate.
        secret: Secret that the workers share.
        inventory: Ids of the agents that a scan has found.

    Raises:
        UsageError: One caller could match two agents.
    """

    def __init__(
        self,
        config: Config,
        keys: IssuerKeys,
        clock: Callable[[], float],
        *,
        secret: bytes,
        inventory: frozenset[AgentId] = frozenset(),
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._nonces = Nonces(secret, since=clock())
        self._tokens = Tokens(keys, self._nonces)
        self._boot = boot_id()
        self._use(config, Agents(config, inventory))

    def swap(self, config: Config, inventory: frozenset[AgentId] = frozenset()) -> None:
        """Apply another configuration, and read key files again.

        Raises:
            UsageError: It cannot be used; the present one stays in force.
            EnvironmentRefused: A key file cannot be read; the present one stays in
                force.
        """
        agents = Agents(config, inventory)
        self._keys.swap(config.issuers)
        self._use(config, agents)

    def identify(self, head: Head, link: Link, now: float) -> Caller:
        """Authenticate the caller of a request.

        Args:
            head: Head of the request; only Authorization and DPoP identify the caller.
            link: Transport facts of the connection.
            now: NumericDate.

        Raises:
            Unidentified: The caller is not authenticated.
            KeysNeeded: `fetch` the keys of that issuer, then try once more.
        """
        link = with_valid_certificate(link, now)
        authorization = head.fields.get("authorization")
        if authorization is None:
            if link.peer is not None:
                return self._of_peer(link.peer)
            raise self._nothing_shown(head, link)
        try:
            caller = self._tokens.check(authorization, head, link, now)
        except KeyUnknown as unknown:
            if self._keys.can_fetch(unknown.issuer, now):
                raise KeysNeeded(unknown.issuer) from None
            if not self._keys.has_any(unknown.issuer, now):
                # The token may be valid: its client keeps it, and tries later.
                raise Unidentified("", 503, Cause.NO_KEYS) from None
            raise self._refused(head, link, unknown, now) from None
        except TokenRefused as refused:
            raise self._refused(head, link, refused, now) from None
        if caller.shown is Shown.BEARER_TOKEN and link.peer is not None:
            return self._of_peer(link.peer)
        return caller

    def refuse_keys(self, kids: frozenset[str]) -> None:
        """Refuse tokens that these keys of our token service signed."""
        self._tokens.refuse_keys(kids)

    def may_go_on(self, caller: Caller) -> bool:
        """Tell whether the signing key of a caller's token is not revoked."""
        return not self._tokens.may_be_of_killed_key(caller)

    def expired(self, head: Head, link: Link) -> Unidentified:
        """Build the error for a request whose token has expired since."""
        ended = TokenRefused(Reason.EXPIRED, "it has ended since")
        return self._refused(head, link, ended, self._clock())

    def vouched(self, token: str, now: float) -> Caller:
        """Authenticate the caller of a token that an enforcement point received.

        Raises:
            TokenRefused: The token is invalid.
            KeysNeeded: `fetch` the keys of that issuer, then try once more.
        """
        try:
            return self._tokens.vouched(token, now)
        except KeyUnknown as unknown:
            if self._keys.can_fetch(unknown.issuer, now):
                raise KeysNeeded(unknown.issuer) from None
            raise

    def parent(self, server: str, parent: Parent) -> Caller:
        """Authenticate the caller of a stdio wrapper: the process that started it."""
        principal = f"uid:{parent.peer.uid}/stdio:{server}"
        found = self._agents.of_parent(server, principal)
        return self._process(parent.peer, Shown.PARENT_PROCESS, principal, found)

    async def fetch(self, issuer: str) -> str:
        """Fetch the keys of an issuer, once for all waiting requests; seconds at most.

        Returns:
            Empty, or the reason of a failure: a sentence for the operator.
        """
        failed = await self._keys.fetch(issuer, self._clock())
        if not failed:
            self._tokens.forget()
        return failed

    async def keep_fresh(self, tell: Callable[[str, str], None]) -> None:
        """Renew keys before they are needed, until cancelled.

        Args:
            tell: Called with (issuer, reason) for each failure.
        """
        while True:
            for issuer in self._keys.due(self._clock()):
                failed = await self.fetch(issuer)
                if failed:
                    tell(issuer, failed)
            await asyncio.sleep(_RENEWAL)

    def metadata(self, target: str, link: Link) -> bytes:
        """Return the metadata document of `/mcp/SERVER`; empty where there is none."""
        if not link.url or not self._config.issuers:
            return b""
        return challenge.metadata(link.url, target, self._config, tls=link.tls)

    def _use(self, config: Config, agents: Agents) -> None:
        self._config = config
        self._agents = agents
        self._tokens.swap(config, agents)
        # Cached, since each request of a connection authenticates.
        self._of_peer = lru_cache(maxsize=_PEERS)(self._peer)

    def _peer(self, peer: UnixPeer) -> Caller:
        principal = f"uid:{peer.uid}" + (f"/{peer.unit}" if peer.unit else "")
        found = self._agents.of_peer(peer, principal)
        return self._process(peer, Shown.UNIX_PEER, principal, found)

    def _process(
        self, peer: UnixPeer, shown: Shown, principal: str, found: Found
    ) -> Caller:
        agent, known = found
        return Caller(
            agent=agent,
            known=known,
            person="",
            run=f"process:{self._boot}/{peer.pid}/{peer.start}",
            shown=shown,
            principal=principal,
            token_sha256=b"",
            expires=0,
        )

    def _nothing_shown(self, head: Head, link: Link) -> Unidentified:
        if not self._config.issuers:
            # No credential would be accepted.
            return Unidentified("", 403, Cause.NOTHING_SHOWN)
        place = challenge.metadata_url(link.url, head.target)
        return Unidentified(challenge.challenge(place), 401, Cause.NOTHING_SHOWN)

    def _refused(
        self, head: Head, link: Link, refused: TokenRefused, now: float
    ) -> Unidentified:
        said = challenge.challenge(
            challenge.metadata_url(link.url, head.target),
            scheme=head.fields["authorization"].partition(" ")[0],
            error=refused.wire,
        )
        wanted = isinstance(refused, NonceRequired)
        nonce = self._nonces.give(now) if wanted else ""
        return Unidentified(said, 401, refused.reason, nonce)
