"""Resources side by side: whose they are, and what their own policies say of them."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from answerable.model.ids import IdentityId, ResourceId
from answerable.reach.bits.meaning import Space
from answerable.reach.bits.planes import NONE, Plane, Texts, gathered
from answerable.reach.estate.clauses import Clause
from answerable.reach.estate.control import SERVICE_ROLES
from answerable.reach.estate.estate import Estate
from answerable.reach.estate.public_access import is_public
from answerable.reach.estate.services import needs_key_policy
from answerable.reach.verdict.formula import FALSE, TRUE
from answerable.reach.verdict.sides import ResourcePolicy
from answerable.reach.verdict.trust import Trust


class Sides(NamedTuple):
    """Resources as actors of one account see them.

    Attributes:
        near: Those of the account, or of nobody known.
        free: Of these, those that the actor's own policies are enough for.
        bound: Of these, those whose own policy must speak.
        far: All others.
        silent: Those whose own policy nobody knows whole.
    """

    near: int
    free: int
    bound: int
    far: int
    silent: int


@dataclass(frozen=True, slots=True, eq=False)
class Ground:
    """A space of resources, each with its owner and its own policy.

    Attributes:
        space: The resources.
        owners: Those of each account; empty for those whose owner is not known.
        spoken: Statements of own policies, each with the resources it hangs on.
        unread: Resources whose own policy was not read whole.
        unread_denies: Likewise, where what was not read might deny.
        missing: Resources whose own policy was not collected.
        keys: Resources that nothing goes without the own policy of.
        shut: Resources whose policy lets nobody in from elsewhere.
        doors: Access points, which a bucket behind them speaks of, too.
        free: Roles linked to a service, which resource control policies leave alone.
    """

    space: Space
    owners: dict[str, int]
    spoken: tuple[tuple[Clause, int], ...]
    unread: int = 0
    unread_denies: int = 0
    missing: int = 0
    keys: int = 0
    shut: Plane = NONE
    doors: int = 0
    free: int = 0

    @property
    def texts(self) -> Texts:
        """The resources."""
        return self.space.texts

    def seen_from(self, account: str, required: int) -> Sides:
        """Part the resources by how they lie to an account.

        Args:
            account: Whose.
            required: Resources whose own policy must take part.
        """
        near = self.owners.get(account, 0) | self.owners.get("", 0)
        far = self.texts.all & ~near
        silent = self.unread | (self.missing & (required | far))
        return Sides(near, near & ~required, near & required, far, silent)


def make_ground(
    estate: Estate, resources: Iterable[str], *, trusts: bool = False
) -> Ground:
    """Lay out resources.

    Args:
        estate: What is known of them.
        resources: ARNs, those of one service, region and account side by side.
        trusts: Take the trust policies of roles for their own policies.
    """
    listed = list(resources)
    size = len(listed)
    places = [estate.place(text) for text in listed]
    owners: dict[str, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        owners[place.owner].append(number)
    held = [
        _trust(estate, text) if trusts else estate.holders.get(place.holder)
        for text, place in zip(listed, places, strict=True)
    ]
    spoken: dict[Clause, list[int]] = defaultdict(list)
    for number, own in enumerate(held):
        for grant in own.grants if own else ():
            spoken[grant.clause].append(number)

    def gather(numbers: Iterable[int]) -> int:
        return gathered(numbers, size)

    texts = Texts(listed, [place.parts for place in places])

    return Ground(
        space=Space(texts, [place.known for place in places]),
        owners={owner: gather(numbers) for owner, numbers in owners.items()},
        spoken=tuple((clause, gather(numbers)) for clause, numbers in spoken.items()),
        unread=gather(n for n, own in enumerate(held) if own and own.gaps),
        unread_denies=gather(
            n for n, own in enumerate(held) if own and any(g.denies for g in own.gaps)
        ),
        missing=gather(n for n, own in enumerate(held) if own is None),
        keys=gather(n for n, text in enumerate(listed) if needs_key_policy(text)),
        shut=_shut(estate, held, size),
        doors=gather(n for n, place in enumerate(places) if place.door),
        free=gather(n for n, text in enumerate(listed) if SERVICE_ROLES in text),
    )


def without_policies(ground: Ground) -> Ground:
    """Return the same resources, for calls that their own policies do not speak of."""
    return replace(ground, spoken=(), unread=0, unread_denies=0, missing=0)


def _trust(estate: Estate, role: str) -> Trust | None:
    trust = estate.trusts.get(IdentityId(role))
    return trust if trust and (trust.collected or trust.gaps) else None


def _shut(
    estate: Estate, held: Iterable[ResourcePolicy | Trust | None], size: int
) -> Plane:
    """Find what a public-access block shuts to everybody from elsewhere."""
    sure: list[int] = []
    maybe: list[int] = []
    blocks = {t for t, b in estate.public_access.items() if b.restrict_public_buckets}
    for number, own in enumerate(held) if blocks else ():
        if isinstance(own, ResourcePolicy) and (
            own.resource in blocks or own.account in blocks
        ):
            public = is_public(own, estate.doors.get(ResourceId(own.resource)))
            if public != FALSE:
                maybe.append(number)
            if public == TRUE:
                sure.append(number)
    return Plane(gathered(sure, size), gathered(maybe, size))


def fenced(estate: Estate, ground: Ground, action: str) -> Iterator[tuple[Clause, int]]:
    """List the denies of RCPs that speak of an action, each with where it binds."""
    for account, fence in estate.fences.items():
        bits = ground.owners.get(account, 0) & ~ground.free
        for grant in fence.speaking(action) if bits else ():
            yield grant.clause, bits


def fences_unread(estate: Estate, ground: Ground) -> int:
    """Return the resources over which some RCP was not read."""
    found = 0
    for account, fence in estate.fences.items():
        if fence.gaps:
            found |= ground.owners.get(account, 0)
    return found & ~ground.free
