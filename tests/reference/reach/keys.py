"""Condition keys whose values the snapshot knows.

Source: AWS IAM User Guide, "AWS global condition context keys" and, for who has which
principal keys, "IAM policy elements: Variables and tags", table "Principal key values".
"""

from answerable.model.identity import Account, Identity
from answerable.model.policy import PolicyEffect, PolicyLayer
from tests.reference.reach.conditions import SEEN, Keys
from tests.reference.reach.facts import (
    Subject,
    World,
    collect_attached,
    find_account,
    find_identity,
    find_owner,
    is_known_by_name_only,
    is_role,
    is_root,
)
from tests.reference.reach.principals import (
    AnonymousCaller,
    Caller,
    ForeignCaller,
    ServiceCaller,
)
from tests.reference.reach.statements import takes_action

_ACCESS_POINT = (
    "s3:dataaccesspointarn",
    "s3:dataaccesspointaccount",
    "s3:accesspointnetworkorigin",
)
_OF_IDENTITIES = (
    "aws:principalarn",
    "aws:principalaccount",
    "aws:principalorgid",
    "aws:principalorgpaths",
    "aws:username",
    "aws:principaltag/*",
)


def known_keys(world: World, who: Subject, resource: str, action: str = "") -> Keys:
    """Collect what is known of principal and resource; what is given wins."""
    return keys_of(world, who.identity, action, resource, {})


def keys_of(
    world: World, caller: Caller, action: str, resource: str, door: Keys
) -> Keys:
    """Collect what is known of any caller; `door` is what an access point adds."""
    keys = _of_caller(world, caller, resource) | _of_resource(world, resource)
    of_s3 = action.lower().startswith("s3:") or resource.startswith("arn:aws:s3:")
    if of_s3 and not door:
        keys |= dict.fromkeys(_ACCESS_POINT, ())
    if world.facts.policies:
        first = min(policy.seen.at for policy in world.facts.policies)
        keys[SEEN] = (str(first // 1_000_000_000),)
    return {**keys, **door, **world.given}


def _of_caller(world: World, caller: Caller, resource: str) -> Keys:
    if isinstance(caller, AnonymousCaller):
        return dict.fromkeys(_OF_IDENTITIES, ()) | {
            "aws:principaltype": ("Anonymous",),
            "aws:userid": ("anonymous",),
            "aws:principalisawsservice": (),
            "aws:principalservicename": (),
            "aws:principalservicenameslist": (),
        }
    if isinstance(caller, ServiceCaller):
        return dict.fromkeys(_OF_IDENTITIES, ()) | {
            "aws:principalisawsservice": ("true",),
            "aws:principalservicename": (caller.name,),
        }
    keys: Keys = {
        "aws:principalaccount": (caller.account,),
        "aws:principalisawsservice": ("false",),
        "aws:principalservicename": (),
        "aws:principalservicenameslist": (),
    }
    if resource.startswith("arn:aws:kms:"):
        keys["kms:calleraccount"] = (caller.account,)
    if isinstance(caller, ForeignCaller):
        return keys | _of_foreign(caller)
    return keys | _of_identity(world, caller)


def _of_foreign(caller: ForeignCaller) -> Keys:
    kind, _, name = (*caller.arn.split(":", 5), "", "", "", "", "")[5].partition("/")
    if kind == "role":
        return {
            "aws:principalarn": (caller.arn,),
            "aws:principaltype": ("AssumedRole",),
            "aws:username": (),
        }
    if kind == "user":
        return {
            "aws:principalarn": (caller.arn,),
            "aws:principaltype": ("User",),
            "aws:username": (name.rpartition("/")[2],),
        }
    return {}


def _of_identity(world: World, mine: Identity) -> Keys:
    person = not is_role(mine) and not is_root(mine)
    kind = "AssumedRole" if is_role(mine) else "Account" if is_root(mine) else "User"
    keys: Keys = {"aws:principaltype": (kind,)}
    if is_role(mine):
        keys["aws:username"] = ()
    if not mine.kind.endswith("-to-be-made"):  # whoever makes it names and tags it
        keys["aws:principalarn"] = (mine.id,)
        keys["aws:username"] = (mine.name,) if person else ()
        if mine.unique_id and not is_role(mine):
            keys["aws:userid"] = (mine.unique_id,)
        if _tags_are_its_own(world, mine):
            keys |= {f"aws:principaltag/{k.lower()}": (v,) for k, v in mine.tags}
            keys["aws:principaltag/*"] = ()
    account = find_account(world, mine.account)
    if account and account.organization:
        keys["aws:principalorgid"] = (account.organization,)
        if account.parents:
            keys["aws:principalorgpaths"] = (_place(account),)
    return keys


def _place(account: Account) -> str:
    """The path of an account, e.g. `o-1/r-1/ou-1/`.

    Source: IAM User Guide, `aws:PrincipalOrgPaths`.
    """
    return "/".join([account.organization, *account.parents, ""])


def _of_resource(world: World, resource: str) -> Keys:
    keys: Keys = {}
    target = find_identity(world, resource)
    if target:
        for prefix in ("aws:resourcetag", "iam:resourcetag"):
            keys |= {f"{prefix}/{k.lower()}": (v,) for k, v in target.tags}
            if not is_known_by_name_only(world, target.id):
                keys[f"{prefix}/*"] = ()
    thing = world.resources.get(resource)
    if thing:
        keys |= {f"aws:resourcetag/{k.lower()}": (v,) for k, v in thing.tags}
        asked = thing.tags or thing.seen.source.startswith("aws-resources:")
        if world.tags_collected and asked:
            keys["aws:resourcetag/*"] = ()
    owner = find_owner(world, resource)
    if owner:
        keys["aws:resourceaccount"] = (owner,)
        keys["s3:resourceaccount"] = (owner,)
    account = find_account(world, owner)
    if account and account.organization:
        keys["aws:resourceorgid"] = (account.organization,)
        if account.parents:
            keys["aws:resourceorgpaths"] = (_place(account),)
    return keys


def _tags_are_its_own(world: World, mine: Identity) -> bool:
    if is_known_by_name_only(world, mine.id):
        return False
    return not is_role(mine) or not _tags_sessions(world, mine)


def _tags_sessions(world: World, role: Identity) -> bool:
    """Return whether a session of a role may bring tags in place of the role's own."""
    trust = collect_attached(world, role.id, PolicyLayer.TRUST)
    if not trust.attached or trust.gaps:
        return True
    return any(
        s.effect is PolicyEffect.ALLOW and takes_action(s, "sts:TagSession")
        for s in trust.statements
    )
