"""Limiting policies: SCPs, RCPs, session policies and VPC endpoint policies.

They grant nothing. SCPs limit the principals of an account, RCPs the use of its
resources. Source: AWS Organizations User Guide, "SCP evaluation" and "RCP
evaluation".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import Effect, Layer
from answerable.reach.aws.compiled.attachments import Held
from answerable.reach.aws.compiled.statements import UNCOLLECTED, Gap, Grant, speaking
from answerable.reach.aws.patterns import action_resource_matrix


@dataclass(frozen=True, slots=True)
class Spoken:
    """Statements of a limiting layer on one action.

    Attributes:
        allows: Allows that match the action.
        denies: Denies that match the action.
        binds: False if the layer allows everything.
    """

    allows: tuple[Grant, ...]
    denies: tuple[Grant, ...]
    binds: bool


@dataclass(eq=False, slots=True)
class Limit:
    """Policies of an SCP level, a session or an endpoint, one of which must allow.

    Attributes:
        layer: Kind of policy.
        target: Root, organisational unit, account or policy that identifies the layer.
        grants: Statements; without any, nothing is allowed.
        gaps: Policies or statements that were not read.
    """

    layer: Layer
    target: str
    grants: tuple[Grant, ...]
    gaps: tuple[Gap, ...] = ()
    _by_action: dict[str, Spoken] = field(default_factory=dict)

    def speaking(self, action: str) -> Spoken:
        """Select the statements that match an action in lower case."""
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
        """Tell whether the layer allows everything and denies nothing."""
        allowing = all(g.clause.effect is Effect.ALLOW for g in self.grants)
        return allowing and not self.gaps and any(map(is_everything, self.grants))


def is_everything(grant: Grant) -> bool:
    """Tell whether a statement unconditionally allows `*` on `*`."""
    clause = grant.clause
    return (
        clause.wide
        and clause.effect is Effect.ALLOW
        and bool(clause.actions)
        and any(
            map(
                action_resource_matrix.is_everything, clause.action_set.wild.get("", ())
            )
        )
    )


@dataclass(eq=False, slots=True)
class Fence:
    """Resource control policies of an account, as their denies.

    AWS attaches one that allows everything to every level.
    """

    account: str
    denies: tuple[Grant, ...]
    gaps: tuple[Gap, ...] = ()
    _by_action: dict[str, tuple[Grant, ...]] = field(default_factory=dict)

    def speaking(self, action: str) -> tuple[Grant, ...]:
        """Select the denies that match an action in lower case."""
        return speaking(self.denies, self._by_action, action)


Attached = Callable[[str, Layer], Held | None]


def levels_of(
    path: Iterable[str], attached: Attached, known: dict[str, Limit]
) -> tuple[Limit, ...]:
    """Compile the SCP levels of an account; none if no level has any.

    A level without SCPs, while another has some, was not collected: AWS keeps at least
    one attached to each.

    Args:
        path: Root, organisational units and the account.
        attached: Returns the policies of a target at a layer, None for no attachment.
        known: Compiled levels by target; extended.
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
    """Collect the RCP denies of an account; None where there are none."""
    found = [held for target in path if (held := attached(target, Layer.RCP))]
    denies = [g for held in found for g in held.grants]
    denies = [g for g in denies if g.clause.effect is Effect.DENY]
    gaps = [gap for held in found for gap in held.gaps]
    if not denies and not gaps:
        return None
    return Fence(account, tuple(dict.fromkeys(denies)), tuple(gaps))


SERVICE_ROLES = ":role/aws-service-role/"  # the path of service-linked roles


def is_service_linked(identity: Identity) -> bool:
    """Tell whether a role is service-linked; SCPs and RCPs do not bind it."""
    return identity.kind == "aws-service-role" or SERVICE_ROLES in identity.id
