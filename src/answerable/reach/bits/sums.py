"""What statements of all kinds together let one actor do, on all resources at once.

The rules of `sides`, in plain bits: a table sums up many times, and planes cost too much.
"""

from typing import NamedTuple

from answerable.reach.bits.ground import Ground, Sides
from answerable.reach.bits.planes import Plane
from answerable.reach.bits.rights import NEVER, Verdicts, judged
from answerable.reach.bits.voices import ACCOUNT, DENIED, DIRECT, ESCAPING

ALLOW, DENY, BOUNDARY = -1, -2, -3  # limits have numbers from 0
UNREAD = -4  # what was not read of RCPs, which may deny
VOICED = -10  # less the way of naming
_ESCAPING, _DIRECT, _ACCOUNT = VOICED - ESCAPING, VOICED - DIRECT, VOICED - ACCOUNT
DENYING = frozenset([DENY, VOICED - DENIED])
ALLOWING = frozenset([ALLOW, _ESCAPING, _DIRECT, _ACCOUNT])


class Kind(NamedTuple):
    """What actors share besides the statements that speak of them.

    Attributes:
        account: Their account, empty where it owns none of the resources.
        may_allow: Whether identity policies were not read whole.
        may_bound: Whether a boundary was not.
        may_deny: Whether something that was not may deny.
    """

    account: str
    may_allow: bool
    may_bound: bool
    may_deny: bool


class Sum(NamedTuple):
    """What statements say, by their kind.

    Attributes:
        sure: To which resources they apply.
        maybe: To which they may.
        odd: Where open conditions may add up to more than they say singly.
        clash: Whether open allows and open denies share a condition.
    """

    sure: dict[int, int]
    maybe: dict[int, int]
    odd: int
    clash: bool


class Sums:
    """Sums up what is said of one service's resources."""

    def __init__(self, service: str, ground: Ground) -> None:
        """Take the resources."""
        self._service, self._ground = service, ground
        self._sides: dict[str, Sides] = {}

    def verdicts(self, said: Sum, who: Kind) -> Verdicts:
        """Say what actors of one kind may do."""
        ground = self._ground
        everything = ground.texts.all
        sides = self._of(who.account)
        sure, maybe = said.sure, said.maybe
        maybe[_DIRECT] = maybe.get(_DIRECT, 0) | sides.silent
        if who.may_allow:
            maybe[ALLOW] = everything
        if who.may_bound and BOUNDARY in maybe:
            maybe[BOUNDARY] = everything
        shut_sure, shut_maybe = ground.shut if self._service == "s3" else (0, 0)
        may = self._allowed(maybe, sides, shut_sure)
        if not may:
            return NEVER
        allowed = Plane(self._allowed(sure, sides, shut_maybe), may)
        denied = Plane(
            sure.get(DENY, 0) | sure.get(VOICED - DENIED, 0),
            maybe.get(DENY, 0) | maybe.get(VOICED - DENIED, 0),
        )
        odd = said.odd | shut_maybe & sides.far
        found = judged(allowed, denied, odd, unread=who.may_deny, clash=said.clash)
        may = found.some | found.doubt
        if not may:
            return NEVER
        unread = ground.unread_denies | maybe.get(UNREAD, 0)
        some = found.some & ~ground.doors
        return Verdicts(found.sure & ~(unread | ground.doors), some, may & ~some)

    def _allowed(self, said: dict[int, int], sides: Sides, shut: int) -> int:
        """Return what is allowed before denies: surely of sure bits, else perhaps."""
        own, account = said.get(ALLOW, 0), said.get(_ACCOUNT, 0)
        escaping, direct = said.get(_ESCAPING, 0), said.get(_DIRECT, 0)
        limit = control = self._ground.texts.all
        for kind, bits in said.items():
            if kind >= 0:
                control &= bits
            elif kind == BOUNDARY:
                limit &= bits
        allowed = (direct | own) & sides.free
        if sides.bound:
            allowed |= (direct | (account & own)) & sides.bound
        if self._service != "iam":
            allowed |= own & (escaping | direct | account) & ~shut & sides.far
        return (allowed & limit | escaping & sides.near) & control

    def _of(self, account: str) -> Sides:
        found = self._sides.get(account)
        if found is None:
            required = self._ground.keys if self._service == "kms" else 0
            found = self._ground.seen_from(account, required)
            self._sides[account] = found
        return found
