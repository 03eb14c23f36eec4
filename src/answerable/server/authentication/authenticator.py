"""Authenticate callers by token, certificate or process, the same for all servers.

    token bound to a certificate or key > peer of a unix socket > bearer token

An invalid token is refused, even where the kernel identifies the peer: a client that
sends one is judged by it.
"""

import asyncio
from collections.abc import Callable
from functools import lru_cache

from answerable.federation.token_errors import (
    NonceRequired,
    TokenFault,
    TokenRejected,
    UnknownKey,
)
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import Config
from answerable.model.ids import AgentId
from answerable.server.authentication import challenge
from answerable.server.authentication.agent_mapping import AgentMapping, AgentMatch
from answerable.server.authentication.errors import (
    IssuerKeysNeeded,
    Unauthenticated,
    UnauthenticatedReason,
)
from answerable.server.authentication.token_cache import VerifiedTokenCache
from answerable.server.client_certificates import drop_invalid_certificate
from answerable.server.connection_info import ConnectionInfo, UnixPeer
from answerable.server.dpop_replay_cache import DpopNonces
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.processes.parent_process import ParentProcess
from answerable.server.processes.pidfd_process import read_boot_id
from answerable.server.wire.request_head import HttpRequestHead

_MAX_CACHED_PEERS = 1024  # cached callers of unix peers
_RENEWAL_INTERVAL = 30  # seconds between two looks at which keys are due


class CallerAuthenticator:
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
        keys: IssuerKeyCache,
        clock: Callable[[], float],
        *,
        secret: bytes,
        inventory: frozenset[AgentId] = frozenset(),
    ) -> None:
        self._clock = clock
        self._keys = keys
        self._nonces = DpopNonces(secret, since=clock())
        self._tokens = VerifiedTokenCache(keys, self._nonces)
        self._boot = read_boot_id()
        self._apply_config(config, AgentMapping(config, inventory))

    def reconfigure(
        self, config: Config, inventory: frozenset[AgentId] = frozenset()
    ) -> None:
        """Apply another configuration, and read key files again.

        Raises:
            UsageError: It cannot be used; the present one stays in force.
            EnvironmentFailure: A key file cannot be read; the present one stays in
                force.
        """
        agents = AgentMapping(config, inventory)
        self._keys.reconfigure(config.issuers)
        self._apply_config(config, agents)

    def authenticate(
        self, head: HttpRequestHead, connection_info: ConnectionInfo, now: float
    ) -> VerifiedCaller:
        """Authenticate a request by token, client certificate or Unix process.

        Args:
            head: Head of the request; only Authorization and DPoP identify the caller.
            connection_info: Transport facts of the connection.
            now: NumericDate.

        Raises:
            Unidentified: The caller is not authenticated.
            IssuerKeysNeeded: fetch the keys of that issuer, then try once more.
        """
        connection_info = drop_invalid_certificate(connection_info, now)
        authorization = head.fields.get("authorization")
        if authorization is None:
            if connection_info.peer is not None:
                return self._of_peer(connection_info.peer)
            raise self._no_credential_error(head, connection_info)
        try:
            caller = self._tokens.authenticate(
                authorization, head, connection_info, now
            )
        except UnknownKey as unknown:
            if self._keys.can_fetch_keys(unknown.issuer, now):
                raise IssuerKeysNeeded(unknown.issuer) from None
            if not self._keys.has_usable_key(unknown.issuer, now):
                # The token may be valid: its client keeps it, and tries later.
                raise Unauthenticated("", 503, UnauthenticatedReason.NO_KEYS) from None
            raise self._invalid_token_error(
                head, connection_info, unknown, now
            ) from None
        except TokenRejected as refused:
            raise self._invalid_token_error(
                head, connection_info, refused, now
            ) from None
        if (
            caller.shown is AuthenticationMethod.BEARER_TOKEN
            and connection_info.peer is not None
        ):
            return self._of_peer(connection_info.peer)
        return caller

    def revoke_keys(self, kids: frozenset[str]) -> None:
        """Refuse tokens that these keys of our token service signed."""
        self._tokens.revoke_keys(kids)

    def has_valid_key(self, caller: VerifiedCaller) -> bool:
        """Return whether the signing key of a caller's token is not revoked."""
        return not self._tokens.may_have_revoked_key(caller)

    def build_expired_error(
        self, head: HttpRequestHead, connection_info: ConnectionInfo
    ) -> Unauthenticated:
        """Build the error for a request whose token has expired since."""
        ended = TokenRejected(TokenFault.EXPIRED, "it has ended")
        return self._invalid_token_error(head, connection_info, ended, self._clock())

    def authenticate_token(self, token: str, now: float) -> VerifiedCaller:
        """Authenticate the caller of a token that an enforcement point received.

        Raises:
            TokenRejected: The token is invalid.
            IssuerKeysNeeded: fetch the keys of that issuer, then try once more.
        """
        try:
            return self._tokens.authenticate_without_request(token, now)
        except UnknownKey as unknown:
            if self._keys.can_fetch_keys(unknown.issuer, now):
                raise IssuerKeysNeeded(unknown.issuer) from None
            raise

    def authenticate_parent(self, server: str, parent: ParentProcess) -> VerifiedCaller:
        """Authenticate the caller of a stdio wrapper: the process that started it."""
        principal = f"uid:{parent.peer.uid}/stdio:{server}"
        found = self._agents.find_by_parent(server, principal)
        return self._build_process_caller(
            parent.peer, AuthenticationMethod.PARENT_PROCESS, principal, found
        )

    async def fetch_keys(self, issuer: str) -> str:
        """Fetch an issuer's keys, once for all waiting requests; seconds at most.

        Returns:
            Empty, or the reason of a failure: a sentence for the operator.
        """
        failed = await self._keys.fetch_issuer_keys(issuer, self._clock())
        if not failed:
            self._tokens.clear()
        return failed

    async def renew_keys_forever(
        self, report_failure: Callable[[str, str], None]
    ) -> None:
        """Renew issuers' keys before they expire, until cancelled.

        Args:
            report_failure: Called with (issuer, reason) for each failure.
        """
        while True:
            for issuer in self._keys.list_issuers_to_renew(self._clock()):
                failed = await self.fetch_keys(issuer)
                if failed:
                    report_failure(issuer, failed)
            await asyncio.sleep(_RENEWAL_INTERVAL)

    def build_resource_metadata(
        self, target: str, connection_info: ConnectionInfo
    ) -> bytes:
        """Return the resource metadata of `/mcp/SERVER`; empty if there is none."""
        if not connection_info.url or not self._config.issuers:
            return b""
        return challenge.build_resource_metadata(
            connection_info.url, target, self._config, tls=connection_info.tls
        )

    def _apply_config(self, config: Config, agents: AgentMapping) -> None:
        """Use another configuration, and clear cached callers."""
        self._config = config
        self._agents = agents
        self._tokens.reconfigure(config, agents)
        # Cached, since each request of a connection authenticates.
        self._of_peer = lru_cache(maxsize=_MAX_CACHED_PEERS)(
            self._authenticate_peer_process
        )

    def _authenticate_peer_process(self, peer: UnixPeer) -> VerifiedCaller:
        """Identify the process at a unix socket as a caller."""
        principal = f"uid:{peer.uid}" + (f"/{peer.unit}" if peer.unit else "")
        found = self._agents.find_by_peer(peer, principal)
        return self._build_process_caller(
            peer, AuthenticationMethod.UNIX_PEER, principal, found
        )

    def _build_process_caller(
        self,
        peer: UnixPeer,
        method: AuthenticationMethod,
        principal: str,
        match: AgentMatch,
    ) -> VerifiedCaller:
        """Build the caller for a local process; the process identifies its run."""
        agent, known = match
        return VerifiedCaller(
            agent=agent,
            known=known,
            person="",
            run=f"process:{self._boot}/{peer.pid}/{peer.start}",
            shown=method,
            principal=principal,
            token_sha256=b"",
            expires=0,
        )

    def _no_credential_error(
        self, head: HttpRequestHead, connection_info: ConnectionInfo
    ) -> Unauthenticated:
        """Build the error for a request without a credential."""
        if not self._config.issuers:
            # No credential would be accepted.
            return Unauthenticated("", 403, UnauthenticatedReason.NOTHING_SHOWN)
        place = challenge.resource_metadata_url(connection_info.url, head.target)
        return Unauthenticated(
            challenge.build_www_authenticate(place),
            401,
            UnauthenticatedReason.NOTHING_SHOWN,
        )

    def _invalid_token_error(
        self,
        head: HttpRequestHead,
        connection_info: ConnectionInfo,
        rejection: TokenRejected,
        now: float,
    ) -> Unauthenticated:
        """Build the error for a rejected token, with a nonce if it needs one."""
        said = challenge.build_www_authenticate(
            challenge.resource_metadata_url(connection_info.url, head.target),
            scheme=head.fields["authorization"].partition(" ")[0],
            error=rejection.wire,
        )
        wanted = isinstance(rejection, NonceRequired)
        nonce = self._nonces.issue(now) if wanted else ""
        return Unauthenticated(said, 401, rejection.reason, nonce)
