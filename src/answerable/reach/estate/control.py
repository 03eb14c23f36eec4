"""What limits an account or a call: policies that grant nothing and take away.

Service control policies limit the principals of an account, resource control policies
the use of its resources. Source: AWS Organizations User Guide, "SCP evaluation" and
"RCP evaluation".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import Effect, Layer
from answerable.reach.estate.attached import Held
from answerable.reach.estate.clauses import UNCOLLECTED, Gap, Grant, speaking
from answerable.reach.patterns import matrix


@dataclass(frozen=True, slots=True)
class Spoken:
    """What a limit says of one action.

    Attributes:
        allows: Its allows that speak of the action.
        denies: Likewise.
        binds: Whether it says more than that everything is allowed.
    """

    allows: tuple[Grant, ...]
    denies: tuple[Grant, ...]
    binds: bool


@dataclass(eq=False, slots=True)
class Limit:
    """Policies one of which must allow, too: of an SCP level, a session, an endpoint.

    Attributes:
        layer: Where they stand.
        target: The unit, account or policy that they are named by.
        grants: Their statements; none at all allow nothing.
        gaps: What could not be read.
    """

    layer: Layer
    target: str
    grants: tuple[Grant, ...]
    gaps: tuple[Gap, ...] = ()
    _by_action: dict[str, Spoken] = field(default_factory=dict)

    def speaking(self, action: str) -> Spoken:
        """Pick the statements that speak of an action in lower case."""
        found = self._by_action.get(action)
        if found is None:
            mine = [g for g in self.grants if g.clause.takes_action(action)]
            allows = tuple(g for g in mine if g.clause.effect is Effect.ALLOW)
            denies = tuple(g for g in mine if g.clause.effect is Effect.DENY)
            binds = not any(map(is_everything, allows))
            found = self._by_action[action] = Spoken(allows, denies, binds)
        return found

    @property
    def is_open(self) -> bool:
        """Tell whether it lets everything through and denies nothing."""
        allowing = all(g.clause.effect is Effect.ALLOW for g in self.grants)
        return allowing and not self.gaps and any(map(is_everything, self.grants))


def is_everything(grant: Grant) -> bool:
    """Tell whether an allow is for every action on every resource, always."""
    clause = grant.clause
    return (
        clause.wide
        and clause.effect is Effect.ALLOW
        and bool(clause.actions)
        and any(map(matrix.is_everything, clause.action_set.wild.get("", ())))
    )


@dataclass(eq=False, slots=True)
class Fence:
    """The resource control policies of an account: only their denies count.

    The platform attaches one that allows everything to every level.
    """

    account: str
    denies: tuple[Grant, ...]
    gaps: tuple[Gap, ...] = ()
    _by_action: dict[str, tuple[Grant, ...]] = field(default_factory=dict)

    def speaking(self, action: str) -> tuple[Grant, ...]:
        """Pick the denies that speak of an action in lower case."""
        return speaking(self.denies, self._by_action, action)


Attached = Callable[[str, Layer], Held | None]


def levels_of(
    path: Iterable[str], attached: Attached, known: dict[str, Limit]
) -> tuple[Limit, ...]:
    """List the SCP levels over an account; none where none is known of.

    A level without any, while another has some, was not collected: the platform keeps
    at least one attached to each.

    Args:
        path: Root, units and the account.
        attached: Returns what is attached to a target at a layer, None for nothing.
        known: Levels made already, by target; added to.
    """
    found = [(target, attached(target, Layer.SCP)) for target in path]
    if not any(held for _, held in found):
        return ()
    for target, held in found:
        if target not in known:
            known[target] = _level(target, held)
    return tuple(known[target] for target, _ in found)


def _level(target: str, held: Held | None) -> Limit:
    if held:
        return Limit(Layer.SCP, target, tuple(held.grants), tuple(held.gaps))
    missing = PolicyId(f"{target}#scp")
    gap = Gap(UNCOLLECTED, Layer.SCP, missing, "", denies=False)
    return Limit(Layer.SCP, target, (), (gap,))


def fence_of(account: str, path: Iterable[str], attached: Attached) -> Fence | None:
    """Collect the denies of the RCPs over an account; None where there are none."""
    found = [held for target in path if (held := attached(target, Layer.RCP))]
    denies = [g for held in found for g in held.grants]
    denies = [g for g in denies if g.clause.effect is Effect.DENY]
    gaps = [gap for held in found for gap in held.gaps]
    if not denies and not gaps:
        return None
    return Fence(account, tuple(dict.fromkeys(denies)), tuple(gaps))


SERVICE_ROLES = ":role/aws-service-role/"  # the path of roles linked to a service


def is_service_linked(identity: Identity) -> bool:
    """Tell whether a role is linked to a service: control policies pass it by."""
    return identity.kind == "aws-service-role" or SERVICE_ROLES in identity.id
