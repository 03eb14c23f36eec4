"""Authenticate the policy enforcement points that the configuration lists.

They authenticate like callers of the gateway: a token of a pinned issuer, bound to a
key or certificate if required, or the kernel's facts at a unix socket.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from answerable.model.config import Config, DeclaredAgent, IssuerConfig
from answerable.model.decision import EnforcementMode
from answerable.model.decision_point_config import DecisionPointConfig
from answerable.model.ids import AgentId
from answerable.pdp.wire.problem_documents import ProblemResponse
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import IssuerKeysNeeded, Unauthenticated
from answerable.server.connection_info import ConnectionInfo
from answerable.server.wire.request_head import HttpRequestHead

# No token of our token service has such a subject.
_PREFIX = "enforcer:"


@dataclass(frozen=True, slots=True)
class EnforcementPoint:
    """An authenticated enforcement point.

    Attributes:
        principal: Issuer and subject, or user; recorded in evidence.
        servers: Upstream servers that it may ask about, empty for all.
    """

    principal: str
    servers: tuple[str, ...]


class EnforcementPointAuthenticator:
    """Authenticator of enforcement points.

    Args:
        config: Has a section `decisions`.
        clock: Returns NumericDates.
        build_authenticator: Builds an authenticator for a configuration.
    """

    def __init__(
        self,
        config: Config,
        clock: Callable[[], float],
        build_authenticator: Callable[[Config], CallerAuthenticator],
    ) -> None:
        self._clock = clock
        self._callers = build_authenticator(_build_caller_config(config))
        self._point = _get_decisions_section(config)

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        self._callers.reconfigure(_build_caller_config(config))
        self._point = _get_decisions_section(config)

    async def authenticate(
        self, head: HttpRequestHead, connection: ConnectionInfo
    ) -> EnforcementPoint:
        """Authenticate the enforcement point that sent a request.

        Raises:
            Problem: It is unknown, or not listed.
        """
        try:
            caller = self._callers.authenticate(head, connection, self._clock())
        except IssuerKeysNeeded as needed:
            await self._callers.fetch_keys(needed.issuer)
            return await self._authenticate_with_fetched_keys(head, connection)
        except Unauthenticated as unknown:
            raise _to_problem_response(unknown) from None
        return self._find_listed_enforcement_point(caller.agent, caller.principal)

    def resource_metadata(self, target: str, connection: ConnectionInfo) -> bytes:
        """Return the resource metadata (RFC 9728); empty if tokens are not used."""
        return self._callers.build_resource_metadata(target, connection)

    def renew_keys(
        self, on_failure: Callable[[str, str], None]
    ) -> Coroutine[Any, Any, None]:
        """Renew issuer keys before they expire, until cancelled."""
        return self._callers.renew_keys_forever(on_failure)

    async def _authenticate_with_fetched_keys(
        self, head: HttpRequestHead, connection: ConnectionInfo
    ) -> EnforcementPoint:
        """Authenticate once more, after the issuer's keys were fetched."""
        try:
            caller = self._callers.authenticate(head, connection, self._clock())
        except IssuerKeysNeeded:
            says = "the keys of the token's issuer are not available now"
            raise ProblemResponse(503, "no-keys", says) from None
        except Unauthenticated as unknown:
            raise _to_problem_response(unknown) from None
        return self._find_listed_enforcement_point(caller.agent, caller.principal)

    def _find_listed_enforcement_point(
        self, id: AgentId, principal: str
    ) -> EnforcementPoint:
        """Return the listed enforcement point, or raise 403 if it is not listed."""
        number = id.removeprefix(_PREFIX)
        if number == id:
            says = "the enforcement point is not named in decisions.callers"
            raise ProblemResponse(403, "not-listed", says)
        return EnforcementPoint(principal, self._point.callers[int(number)].servers)


def _to_problem_response(error: Unauthenticated) -> ProblemResponse:
    """Convert a failed authentication to a problem document."""
    says = {
        401: "a token of a pinned issuer is required",
        403: "the enforcement point is not named in decisions.callers",
    }.get(error.status, "the keys of the token's issuer are not available now")
    fields = {"www-authenticate": error.challenge} if error.challenge else {}
    if error.nonce:
        fields["dpop-nonce"] = error.nonce
    return ProblemResponse(error.status, error.reason, says, fields)


def _get_decisions_section(config: Config) -> DecisionPointConfig:
    """Return the configuration section `decisions`, which must exist."""
    point = config.decisions
    if point is None:
        raise AssertionError(
            "a decision point requires a `decisions` section in the configuration"
        )
    return point


def _build_caller_config(config: Config) -> Config:
    """Return a configuration whose callers are the enforcement points."""
    point = _get_decisions_section(config)
    agents = tuple(
        DeclaredAgent(
            id=AgentId(f"{_PREFIX}{number}"),
            name=str(number),
            owner="",
            mode=EnforcementMode.ENFORCE,
            callers=(each.rule,),
            allow=(),
        )
        for number, each in enumerate(point.callers)
    )
    issuers = tuple(
        _replace_issuer_audience(each, point.audience) for each in config.issuers
    )
    return replace(config, agents=agents, issuers=issuers)


def _replace_issuer_audience(issuer: IssuerConfig, audience: str) -> IssuerConfig:
    """Return the issuer with another expected audience, if one is given."""
    return replace(issuer, audience=audience) if audience else issuer
