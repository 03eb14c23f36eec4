"""Reference evaluation: one request, one situation, allowed or not.

It shares nothing with the engine but the nouns and the tables of data, and is slow.
What is not known about a request is a question to the situation; a verdict comes from
trying every situation that makes a difference. Tests hold the engine equal to it.

Sources: AWS IAM User Guide, "Policy evaluation logic" with its pages on requests
within one account and across accounts; AWS KMS Developer Guide, "Key policies"; Amazon
S3 User Guide, "Access points". What a layer reads stands beside this module.
"""

from dataclasses import dataclass, field, replace

from answerable.model.identity import Identity
from answerable.model.policy import (
    ConditionClause,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.service_facts import TRUST_POLICY_ACTIONS
from tests.reference.reach.conditions import Keys
from tests.reference.reach.facts import (
    UNCOLLECTED,
    PlacedPolicy,
    Subject,
    World,
    can_act_on,
    collect_attached,
    find_owner,
    find_policy_holder,
    get_account,
    has_policy,
    is_role,
    is_root,
    is_service_linked,
    read_stated_policy,
)
from tests.reference.reach.keys import keys_of
from tests.reference.reach.organization import rcps_deny, scps_allow, scps_deny
from tests.reference.reach.principals import (
    HOWS,
    PASSING,
    Caller,
    ForeignCaller,
    ServiceCaller,
    allow_names_caller,
    deny_names_caller,
)
from tests.reference.reach.protected_calls import is_refused
from tests.reference.reach.public_access import is_blocked
from tests.reference.reach.situation import Situation, get_verdict, iterate_outcomes
from tests.reference.reach.statements import (
    Call,
    allows,
    condition_holds,
    denies,
    statement_applies,
)

__all__ = [
    "Situation",
    "get_verdict",
    "is_allowed",
    "is_allowed_for_caller",
    "iterate_outcomes",
    "may_assume",
]

_NOTHING = PlacedPolicy(False)
_WITHOUT_POLICIES = {"sts:getcalleridentity", "sts:getsessiontoken"}
"""Calls that no policy allows or denies.

Sources: STS API Reference, GetCallerIdentity: "No permissions are required", an explicit
deny notwithstanding; IAM User Guide, "Permissions for GetSessionToken": "You cannot use
policies to control authentication operations".
"""


@dataclass(frozen=True)
class Request:
    """Who asks for what.

    Attributes:
        caller: Whoever it is.
        extra: Statements gained on a path.
        action: What is to be done.
        resource: To what.
        places: Where a public-access block counts besides the resource itself.
        door: Condition keys that an access point adds.
    """

    caller: Caller
    extra: tuple[Statement, ...]
    action: str
    resource: str
    places: tuple[str, ...] = ()
    door: Keys = field(default_factory=dict)


@dataclass(frozen=True)
class ResourceOwnPolicy:
    """A resource's own policy.

    Attributes:
        name: Of the policy.
        collected: Whether anybody asked for it.
        here: What it says.
        required: Whether a request needs its word, whoever's else there is.
    """

    name: str
    collected: bool
    here: PlacedPolicy
    required: bool


def is_allowed(
    world: World, who: Subject, action: str, resource: str, now: Situation
) -> bool:
    """Decide one request of an identity in one situation."""
    if not can_act_on(world.catalogue, action, resource):
        return False
    if action.lower() in _WITHOUT_POLICIES:
        return _may_identify(world, who.identity, action)
    if is_refused(world, who.identity, action, resource):
        return False
    account = get_account(resource)
    if _is_iam(action) and account not in ("", who.identity.account):
        return False  # IAM's calls act on the caller's own account
    asked = Request(who.identity, who.extra, action, resource)
    return _ask_access_point(world, asked, now)


def is_allowed_for_caller(
    world: World, caller: Caller, action: str, resource: str, now: Situation
) -> bool:
    """Decide one request of anybody: of somebody outside, too."""
    if isinstance(caller, Identity):
        return is_allowed(world, Subject(caller), action, resource, now)
    if _is_iam(action) or not can_act_on(world.catalogue, action, resource):
        return False
    if action.lower() in _WITHOUT_POLICIES:
        return isinstance(caller, ForeignCaller) and _may_identify(
            world, caller, action
        )
    if is_refused(world, caller, action, resource):
        return False
    return _ask_access_point(world, Request(caller, (), action, resource), now)


def _may_identify(world: World, caller: Identity | ForeignCaller, action: str) -> bool:
    """Return whether a caller has the credentials that such a call needs.

    GetSessionToken "must be called by using the long-term security credentials of an
    IAM user"; those of a root user work, too (STS API Reference). A role has none, nor
    has a federated user, who is a user under a session policy.
    """
    if action.lower() == "sts:getcalleridentity":
        return True
    arn = caller.id if isinstance(caller, Identity) else caller.arn
    if isinstance(caller, Identity) and world.session is not None:
        return False
    return ":role/" not in arn and ":sts:" not in arn


def may_assume(
    world: World, who: Subject, role: Identity, keys: Keys, now: Situation
) -> bool:
    """Decide `sts:AssumeRole` with the keys that are known of it."""
    asked = Request(who.identity, who.extra, "sts:AssumeRole", role.id)
    call = Call(asked.action, asked.resource, keys, now)
    return _combine_policies(world, asked, who.identity, call)


def _is_iam(action: str) -> bool:
    return action.lower().startswith("iam:")


def _ask_access_point(world: World, asked: Request, now: Situation) -> bool:
    """Ask the access point, and what lies behind it, where there is one.

    "For an application or user to be able to access objects through an access point,
    both the access point and the underlying bucket must permit the request."
    """
    holder = find_policy_holder(asked.resource)
    if ":accesspoint/" not in holder or not holder.startswith("arn:aws:s3:"):
        return _evaluate_resource(world, asked, now)
    point = world.resources.get(holder)
    if point is None or not point.behind:
        bucket_allows = now.holds(UNCOLLECTED, "Allows", [f"{holder}#bucket"])
        return bucket_allows and _evaluate_resource(
            world, replace(asked, door=_name(holder)), now
        )
    _, inside, key = asked.resource.partition("/object/")
    bucket = f"{point.behind}/{key}" if inside else str(point.behind)
    places = (str(point.behind), find_owner(world, point.behind))
    door = _door(point)
    front = Request(
        asked.caller, asked.extra, asked.action, asked.resource, places, door
    )
    if not _evaluate_resource(world, front, now):
        return False
    if not can_act_on(world.catalogue, asked.action, bucket):
        return True  # the access point itself is acted on
    back = Request(asked.caller, asked.extra, asked.action, bucket, (), door)
    return _in_network(world, point, front, now) and _evaluate_resource(
        world, back, now
    )


def _name(point: str) -> Keys:
    """What the ARN of an access point says by itself."""
    return {
        "s3:dataaccesspointarn": (point,),
        "s3:dataaccesspointaccount": (get_account(point),),
    }


def _door(point: Resource) -> Keys:
    origin = "VPC" if point.network else "Internet"
    return {**_name(point.id), "s3:accesspointnetworkorigin": (origin,)}


def _in_network(world: World, point: Resource, asked: Request, now: Situation) -> bool:
    if not point.network:
        return True
    only = ConditionClause("StringEquals", "aws:SourceVpc", (point.network,))
    keys = keys_of(world, asked.caller, asked.action, asked.resource, asked.door)
    return condition_holds(only, keys, now)


def _evaluate_resource(world: World, asked: Request, now: Situation) -> bool:
    """Ask every policy about one resource."""
    keys = keys_of(world, asked.caller, asked.action, asked.resource, asked.door)
    call = Call(asked.action, asked.resource, keys, now)
    if isinstance(asked.caller, Identity):
        return _combine_policies(world, asked, asked.caller, call)
    own = _find_resource_policy(world, asked)
    if _denies_resource(world, asked, own, call) or not _endpoint_allows(
        world, asked, call
    ):
        return False
    hows = HOWS if isinstance(asked.caller, ForeignCaller) else ("direct",)
    return any(
        _resource_policy_names(world, asked, own, how, True, call) for how in hows
    )


def _combine_policies(world: World, asked: Request, mine: Identity, call: Call) -> bool:
    """The formula: what must allow, and that nothing denies."""
    own = _find_resource_policy(world, asked)
    if _denies_caller(world, asked, mine, call) or _denies_resource(
        world, asked, own, call
    ):
        return False
    if not scps_allow(world, mine, call) or not _endpoint_allows(world, asked, call):
        return False
    abroad = find_owner(world, asked.resource) not in ("", mine.account)

    def says(how: str) -> bool:
        return _resource_policy_names(world, asked, own, how, abroad, call)

    if abroad:
        return (
            _identity_allows(world, asked, mine, call)
            and _limits_allow(world, mine, call)
            and any(says(how) for how in HOWS)
        )
    if says(PASSING):
        return True
    itself = says("escaping")
    if itself and not (world.session and not is_role(mine)):
        return True  # no implicit deny of the caller's own policies counts
    if not _limits_allow(world, mine, call):
        return False
    if itself or says("direct"):
        return True  # a user under a session policy is a federated user, and bounded
    left_to_it = says("account") if own.required else True
    return left_to_it and _identity_allows(world, asked, mine, call)


def _identity_allows(world: World, asked: Request, mine: Identity, call: Call) -> bool:
    if is_root(mine) or statement_applies(asked.extra, PolicyEffect.ALLOW, call):
        return True
    return allows(collect_attached(world, mine.id, PolicyLayer.IDENTITY), call)


def _limits_allow(world: World, mine: Identity, call: Call) -> bool:
    """Boundary and session policy: each lets through what it allows, where it is."""
    boundary = collect_attached(world, mine.id, PolicyLayer.BOUNDARY)
    if boundary.attached and not allows(boundary, call):
        return False
    return world.session is None or allows(read_stated_policy(world.session), call)


def _denies_caller(world: World, asked: Request, mine: Identity, call: Call) -> bool:
    """Denies on the caller's side."""
    session = read_stated_policy(world.session) if world.session else _NOTHING
    return (
        statement_applies(asked.extra, PolicyEffect.DENY, call)
        or denies(collect_attached(world, mine.id, PolicyLayer.IDENTITY), call)
        or denies(collect_attached(world, mine.id, PolicyLayer.BOUNDARY), call)
        or denies(session, call)
        or scps_deny(world, mine, call)
    )


def _denies_resource(
    world: World, asked: Request, own: ResourceOwnPolicy, call: Call
) -> bool:
    """Denies on the resource's side and on the way to it."""
    caller = asked.caller
    mine = caller if isinstance(caller, Identity) else None
    linked = mine is not None and is_service_linked(mine)
    bounded = mine is not None and has_policy(world, mine, PolicyLayer.BOUNDARY)
    owner = find_owner(world, asked.resource)
    endpoint = read_stated_policy(world.endpoint) if world.endpoint else _NOTHING
    return (
        deny_names_caller(own.here, caller, bounded, call)
        or deny_names_caller(endpoint, caller, bounded, call)
        or rcps_deny(world, linked, owner, call)
    )


def _endpoint_allows(world: World, asked: Request, call: Call) -> bool:
    if world.endpoint is None:
        return True
    here = read_stated_policy(world.endpoint)
    return any(allow_names_caller(here, asked.caller, how, call) for how in HOWS)


def _find_resource_policy(world: World, asked: Request) -> ResourceOwnPolicy:
    """Find the policy of a resource itself: a role's is its trust policy."""
    if asked.action.lower() in TRUST_POLICY_ACTIONS and ":role/" in asked.resource:
        here = collect_attached(world, asked.resource, PolicyLayer.TRUST)
        return ResourceOwnPolicy(f"{asked.resource}#trust", here.attached, here, True)
    holder = find_policy_holder(asked.resource)
    here = collect_attached(world, holder, PolicyLayer.RESOURCE)
    names = [a.policy for a in world.attached.get((holder, PolicyLayer.RESOURCE), [])]
    collected = any(not name.endswith("#grants") for name in names)
    key = asked.action.lower().startswith("kms:") and ":key/" in asked.resource
    return ResourceOwnPolicy(f"{holder}#policy", collected, here, key)


def _resource_policy_names(
    world: World,
    asked: Request,
    own: ResourceOwnPolicy,
    how: str,
    abroad: bool,
    call: Call,
) -> bool:
    """Return whether the resource's own policy lets the caller in, in one way.

    Where nobody asked for that policy and its word is needed, it is a question.
    """
    if allow_names_caller(own.here, asked.caller, how, call):
        return not (abroad and _is_blocked_as_public(world, asked, own, call))
    if own.collected or how != "direct" or not (abroad or own.required):
        return False
    return call.now.holds(UNCOLLECTED, "Allows", [own.name])


def _is_blocked_as_public(
    world: World, asked: Request, own: ResourceOwnPolicy, call: Call
) -> bool:
    """Return whether a public-access block keeps the caller out."""
    if not asked.action.lower().startswith("s3:") or isinstance(
        asked.caller, ServiceCaller
    ):
        return False
    places = [
        find_policy_holder(asked.resource),
        find_owner(world, asked.resource),
        *asked.places,
    ]
    return is_blocked(world, places, own.name, own.here, call.now)
