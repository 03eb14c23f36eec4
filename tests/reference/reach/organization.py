"""SCPs and RCPs of the organisation in the reference evaluation.

Source: AWS Organizations User Guide, "SCP evaluation" and "RCP evaluation".
"""

from answerable.model.identity import Identity
from answerable.model.policy import PolicyLayer
from answerable.reach.aws.compiled.service_facts import RCP_SERVICES
from tests.reference.reach.facts import (
    UNCOLLECTED,
    PlacedPolicy,
    World,
    collect_attached,
    find_account,
    is_service_linked,
)
from tests.reference.reach.statements import Call, allows, denies


def _path(world: World, number: str) -> list[str]:
    """From the root, through the units, to the account itself."""
    account = find_account(world, number)
    return [*(account.parents if account else ()), number]


def _manages(world: World, number: str) -> bool:
    account = find_account(world, number)
    return account is not None and account.management


def _levels(world: World, who: Identity) -> list[tuple[str, PlacedPolicy]]:
    """SCPs by level; none where they do not bind.

    They "don't affect users or roles in the management account", nor "any
    service-linked role".
    """
    if _manages(world, who.account) or is_service_linked(who):
        return []
    path = _path(world, who.account)
    return [
        (target, collect_attached(world, target, PolicyLayer.SCP)) for target in path
    ]


def scps_allow(world: World, who: Identity, call: Call) -> bool:
    """Return whether every level of the path allows.

    "There must be an explicit Allow statement at every level from the root through
    each OU in the direct path to the account (including the target account itself)."
    An organisation without SCPs has none at any level. With them, every level has at
    least one: where none was collected, the snapshot has a gap.
    """
    levels = _levels(world, who)
    if not any(here.attached for _, here in levels):
        return True
    return all(
        allows(here, call)
        if here.attached
        else call.now.holds(UNCOLLECTED, "Allows", [f"{target}#scp"])
        for target, here in levels
    )


def scps_deny(world: World, who: Identity, call: Call) -> bool:
    """Return whether any level denies."""
    return any(denies(here, call) for _, here in _levels(world, who))


def rcps_deny(world: World, linked: bool, owner: str, call: Call) -> bool:
    """Return whether an RCP over the owner of the resource denies.

    Their Allows say nothing: `RCPFullAWSAccess` stands at every level and cannot be
    detached. They bind some services only, no resource of the management account, no
    service-linked role (`linked`) and no such role's trust policy ("Resources and
    entities not restricted by RCPs").
    """
    action = call.action.lower()
    bound = action.partition(":")[0] in RCP_SERVICES and action != "kms:retiregrant"
    if linked or not owner or not bound or _manages(world, owner):
        return False
    if ":role/aws-service-role/" in call.resource:
        return False
    path = _path(world, owner)
    return any(
        denies(collect_attached(world, target, PolicyLayer.RCP), call)
        for target in path
    )
