"""Compile policies that only limit: SCPs, RCPs, session and VPC endpoint policies.

They grant nothing. SCPs limit the principals of an account, RCPs the use of its
resources. Source: AWS Organizations User Guide, "SCP evaluation" and "RCP
evaluation".
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from answerable.model.identity import Identity
from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.statements import (
    UNCOLLECTED,
    PolicyGap,
    PolicyStatement,
    select_statements,
)
from answerable.reach.aws.patterns import action_resource_matrix

if TYPE_CHECKING:
    from answerable.reach.aws.compiled.attachments import AttachedPolicies


@dataclass(frozen=True, slots=True)
class LayerStatements:
    """Statements of a limiting layer on one action.

    Attributes:
        allows: Allows that match the action.
        denies: Denies that match the action.
        binds: False if the layer allows everything.
    """

    allows: tuple[PolicyStatement, ...]
    denies: tuple[PolicyStatement, ...]
    binds: bool


@dataclass(eq=False, slots=True)
class LimitingLayer:
    """Policies of an SCP level, a session or an endpoint, one of which must allow.

    Attributes:
        layer: Kind of policy.
        target: Root, organisational unit, account or policy that identifies the layer.
        grants: Statements; without any, nothing is allowed.
        gaps: Policies or statements that were not read.
    """

    layer: PolicyLayer
    target: str
    grants: tuple[PolicyStatement, ...]
    gaps: tuple[PolicyGap, ...] = ()
    _by_action: dict[str, LayerStatements] = field(default_factory=dict)

    def select_statements(self, action: str) -> LayerStatements:
        """Select the layer's allows and denies that match an action."""
        found = self._by_action.get(action)
        if found is None:
            mine = [g for g in self.grants if g.clause.matches_action(action)]
            allows = tuple(g for g in mine if g.clause.effect is PolicyEffect.ALLOW)
            denies = tuple(g for g in mine if g.clause.effect is PolicyEffect.DENY)
            binds = not any(map(is_unconditional_full_allow, allows))
            found = self._by_action[action] = LayerStatements(allows, denies, binds)
        return found

    @property
    def allows_everything(self) -> bool:
        """Return whether SCPs or a boundary limit nothing at all."""
        allowing = all(g.clause.effect is PolicyEffect.ALLOW for g in self.grants)
        return (
            allowing
            and not self.gaps
            and any(map(is_unconditional_full_allow, self.grants))
        )


def is_unconditional_full_allow(statement: PolicyStatement) -> bool:
    """Return whether a statement unconditionally allows `*` on `*`."""
    clause = statement.clause
    return (
        clause.wide
        and clause.effect is PolicyEffect.ALLOW
        and bool(clause.actions)
        and any(
            map(
                action_resource_matrix.does_pattern_match_every_action,
                clause.action_set.wild.get("", ()),
            )
        )
    )


@dataclass(eq=False, slots=True)
class RcpDenies:
    """Resource control policies of an account, as their denies.

    AWS attaches one that allows everything to every level.
    """

    account: str
    denies: tuple[PolicyStatement, ...]
    gaps: tuple[PolicyGap, ...] = ()
    _by_action: dict[str, tuple[PolicyStatement, ...]] = field(default_factory=dict)

    def select_denies(self, action: str) -> tuple[PolicyStatement, ...]:
        """Select the denies that match an action in lower case."""
        return select_statements(self.denies, self._by_action, action)


GetAttached = Callable[[str, PolicyLayer], "AttachedPolicies | None"]


def compile_scp_levels(
    path: Iterable[str],
    get_attached: GetAttached,
    compiled_levels: dict[str, LimitingLayer],
) -> tuple[LimitingLayer, ...]:
    """Compile an account's SCPs, level by level; empty if there are none.

    A level without SCPs, while another has some, was not collected: AWS keeps at least
    one attached to each.

    Args:
        path: Root, organisational units and the account.
        get_attached: Returns the policies of a target at a layer, None for no attachment.
        compiled_levels: Compiled levels by target; extended.
    """
    found = [(target, get_attached(target, PolicyLayer.SCP)) for target in path]
    if not any(held for _, held in found):
        return ()
    for target, held in found:
        if target not in compiled_levels:
            compiled_levels[target] = _compile_scp_level(target, held)
    return tuple(compiled_levels[target] for target, _ in found)


def _compile_scp_level(
    target: str, attached: "AttachedPolicies | None"
) -> LimitingLayer:
    """Compile the SCPs of one level; a level without any is a gap."""
    if attached:
        return LimitingLayer(
            PolicyLayer.SCP, target, tuple(attached.grants), tuple(attached.gaps)
        )
    missing = PolicyId(f"{target}#scp")
    gap = PolicyGap(UNCOLLECTED, PolicyLayer.SCP, missing, "", denies=False)
    return LimitingLayer(PolicyLayer.SCP, target, (), (gap,))


def compile_rcp_denies(
    account: str, path: Iterable[str], get_attached: GetAttached
) -> RcpDenies | None:
    """Return the denies of an account's RCPs; None where there are none."""
    found = [held for target in path if (held := get_attached(target, PolicyLayer.RCP))]
    denies = [g for held in found for g in held.grants]
    denies = [g for g in denies if g.clause.effect is PolicyEffect.DENY]
    gaps = [gap for held in found for gap in held.gaps]
    if not denies and not gaps:
        return None
    return RcpDenies(account, tuple(dict.fromkeys(denies)), tuple(gaps))


SERVICE_ROLE_PATH = ":role/aws-service-role/"  # the path of service-linked roles


def is_service_linked(identity: Identity) -> bool:
    """Return whether a role is service-linked; SCPs and RCPs do not bind it."""
    return identity.kind == "aws-service-role" or SERVICE_ROLE_PATH in identity.id
