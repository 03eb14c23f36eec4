"""Authentication of enforcement points listed in the section `decisions`.

They authenticate like callers of the gateway: a token of a pinned issuer, bound to a
key or certificate if required, or the kernel's facts at a unix socket.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from answerable.model.config import Config, DeclaredAgent, PinnedIssuer
from answerable.model.decision import Mode
from answerable.model.decision_point import DecisionPoint
from answerable.model.ids import AgentId
from answerable.pdp.wire.problems import Problem
from answerable.server.authentication.authenticator import Callers
from answerable.server.authentication.errors import KeysNeeded, Unidentified
from answerable.server.connection_info import Link
from answerable.server.issuers.key_cache import IssuerKeys
from answerable.server.wire.request_head import Head

# No token of our token service has such a subject.
_PREFIX = "enforcer:"


@dataclass(frozen=True, slots=True)
class Enforcer:
    """An authenticated enforcement point.

    Attributes:
        principal: Issuer and subject, or user; recorded in evidence.
        servers: Upstream servers that it may ask about, empty for all.
    """

    principal: str
    servers: tuple[str, ...]


class Enforcers:
    """Authenticator of enforcement points.

    Args:
        config: Has a section `decisions`.
        clock: Returns NumericDates.
        secret: For nonces of DPoP proofs.
    """

    def __init__(
        self, config: Config, clock: Callable[[], float], secret: bytes
    ) -> None:
        self._clock = clock
        as_callers = _as_callers(config)
        keys = IssuerKeys(as_callers.issuers)
        self._callers = Callers(as_callers, keys, clock, secret=secret)
        self._point = _point(config)

    def swap(self, config: Config) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        self._callers.swap(_as_callers(config))
        self._point = _point(config)

    async def identify(self, head: Head, link: Link) -> Enforcer:
        """Authenticate the sender of a request.

        Raises:
            Problem: It is unknown, or not listed.
        """
        try:
            caller = self._callers.identify(head, link, self._clock())
        except KeysNeeded as needed:
            await self._callers.fetch(needed.issuer)
            return await self._again(head, link)
        except Unidentified as unknown:
            raise _problem(unknown) from None
        return self._listed(caller.agent, caller.principal)

    def refuse_keys(self, kids: frozenset[str]) -> None:
        """Reject tokens signed by these keys of our token service."""
        self._callers.refuse_keys(kids)

    def metadata(self, target: str, link: Link) -> bytes:
        """Return the resource metadata (RFC 9728); empty if tokens are not used."""
        return self._callers.metadata(target, link)

    def keep_fresh(self, tell: Callable[[str, str], None]) -> Coroutine[Any, Any, None]:
        """Renew issuer keys before they expire, until cancelled."""
        return self._callers.keep_fresh(tell)

    async def _again(self, head: Head, link: Link) -> Enforcer:
        try:
            caller = self._callers.identify(head, link, self._clock())
        except KeysNeeded:
            says = "the keys of the token's issuer cannot be had now"
            raise Problem(503, "no-keys", says) from None
        except Unidentified as unknown:
            raise _problem(unknown) from None
        return self._listed(caller.agent, caller.principal)

    def _listed(self, id: AgentId, principal: str) -> Enforcer:
        number = id.removeprefix(_PREFIX)
        if number == id:
            says = "the enforcement point is not named in decisions.callers"
            raise Problem(403, "not-listed", says)
        return Enforcer(principal, self._point.callers[int(number)].servers)


def _problem(unknown: Unidentified) -> Problem:
    says = {
        401: "a token of a pinned issuer is required",
        403: "the enforcement point is not named in decisions.callers",
    }.get(unknown.status, "the keys of the token's issuer cannot be had now")
    fields = {"www-authenticate": unknown.challenge} if unknown.challenge else {}
    if unknown.nonce:
        fields["dpop-nonce"] = unknown.nonce
    return Problem(unknown.status, unknown.reason, says, fields)


def _point(config: Config) -> DecisionPoint:
    point = config.decisions
    if point is None:
        raise AssertionError("a decision point has a section of its own")
    return point


def _as_callers(config: Config) -> Config:
    """Return a configuration in which the enforcement points are the callers."""
    point = _point(config)
    agents = tuple(
        DeclaredAgent(
            id=AgentId(f"{_PREFIX}{number}"),
            name=str(number),
            owner="",
            mode=Mode.ENFORCE,
            callers=(each.rule,),
            allow=(),
        )
        for number, each in enumerate(point.callers)
    )
    issuers = tuple(_for_us(each, point.audience) for each in config.issuers)
    return replace(config, agents=agents, issuers=issuers)


def _for_us(issuer: PinnedIssuer, audience: str) -> PinnedIssuer:
    return replace(issuer, audience=audience) if audience else issuer
