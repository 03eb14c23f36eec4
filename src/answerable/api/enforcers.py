"""Who asks: the enforcement points that the section `decisions` names, and nobody else.

They show what a caller of the gateway shows: a token of a pinned issuer, bound to a key
or certificate where it is, or the kernel's word at a unix socket.
"""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass, replace
from typing import Any

from answerable.api.wire.problems import Problem
from answerable.model.config import Config, DeclaredAgent, PinnedIssuer
from answerable.model.decision import Mode
from answerable.model.decision_point import DecisionPoint
from answerable.model.ids import AgentId
from answerable.serving.callers.callers import Callers
from answerable.serving.callers.errors import KeysNeeded, Unidentified
from answerable.serving.issuers.keys import IssuerKeys
from answerable.serving.link import Link
from answerable.serving.wire.head import Head

# No token service of ours names anybody so.
_PREFIX = "enforcer:"


@dataclass(frozen=True, slots=True)
class Enforcer:
    """An enforcement point that may ask.

    Attributes:
        principal: Issuer and subject, or user; evidence names it.
        servers: Upstream servers that it may ask about, empty for all.
    """

    principal: str
    servers: tuple[str, ...]


class Enforcers:
    """Finds out which of them asks.

    Args:
        config: Names them; it has a section `decisions`.
        clock: Gives NumericDates.
        secret: For the nonces of DPoP proofs.
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
        """Let others ask from now on.

        Raises:
            AnswerableError: It cannot be used, and the present ones stay.
        """
        self._callers.swap(_as_callers(config))
        self._point = _point(config)

    async def identify(self, head: Head, link: Link) -> Enforcer:
        """Say who asks.

        Raises:
            Problem: Nobody is known to, or it is one that may not.
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
        """Refuse what these keys of our token service signed, from the next request."""
        self._callers.refuse_keys(kids)

    def metadata(self, target: str, link: Link) -> bytes:
        """Say where a token is to be had (RFC 9728); empty where none is taken."""
        return self._callers.metadata(target, link)

    def keep_fresh(self, tell: Callable[[str, str], None]) -> Coroutine[Any, Any, None]:
        """Renew keys before they are needed, until cancelled."""
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
            says = "whoever asks is not named in decisions.callers"
            raise Problem(403, "not-listed", says)
        return Enforcer(principal, self._point.callers[int(number)].servers)


def _problem(unknown: Unidentified) -> Problem:
    says = {
        401: "a token of a pinned issuer is required",
        403: "whoever asks is not named in decisions.callers",
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
    """The configuration in which those who ask are who call."""
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
