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
from answerable.model.policy import ConditionClause, Effect, Layer, Statement
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS
from tests.reference.reach.conditions import Keys
from tests.reference.reach.facts import (
    UNCOLLECTED,
    Who,
    World,
    Written,
    account_of,
    has_policy,
    holder_of,
    is_role,
    is_root,
    is_service_linked,
    owner_of,
    possible,
    stated,
    written,
)
from tests.reference.reach.keys import keys_of
from tests.reference.reach.organization import rcps_deny, scps_allow, scps_deny
from tests.reference.reach.principals import (
    HOWS,
    PASSING,
    Caller,
    Foreign,
    Service,
    grants,
    refuses,
)
from tests.reference.reach.protected_calls import is_refused
from tests.reference.reach.public_access import shut_out
from tests.reference.reach.situation import Situation, outcomes, verdict
from tests.reference.reach.statements import (
    Call,
    allows,
    condition_holds,
    denies,
    spoken,
)

__all__ = ["Situation", "allowed", "allowed_as", "may_assume", "outcomes", "verdict"]

_NOTHING = Written(False)
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
class Own:
    """A resource's own policy.

    Attributes:
        name: Of the policy.
        collected: Whether anybody asked for it.
        here: What it says.
        required: Whether a request needs its word, whoever's else there is.
    """

    name: str
    collected: bool
    here: Written
    required: bool


def allowed(world: World, who: Who, action: str, resource: str, now: Situation) -> bool:
    """Decide one request of an identity in one situation."""
    if not possible(world.catalogue, action, resource):
        return False
    if action.lower() in _WITHOUT_POLICIES:
        return _may_identify(world, who.identity, action)
    if is_refused(world, who.identity, action, resource):
        return False
    account = account_of(resource)
    if _is_iam(action) and account not in ("", who.identity.account):
        return False  # IAM's calls act on the caller's own account
    asked = Request(who.identity, who.extra, action, resource)
    return _through(world, asked, now)


def allowed_as(
    world: World, caller: Caller, action: str, resource: str, now: Situation
) -> bool:
    """Decide one request of anybody: of somebody outside, too."""
    if isinstance(caller, Identity):
        return allowed(world, Who(caller), action, resource, now)
    if _is_iam(action) or not possible(world.catalogue, action, resource):
        return False
    if action.lower() in _WITHOUT_POLICIES:
        return isinstance(caller, Foreign) and _may_identify(world, caller, action)
    if is_refused(world, caller, action, resource):
        return False
    return _through(world, Request(caller, (), action, resource), now)


def _may_identify(world: World, caller: Identity | Foreign, action: str) -> bool:
    """Tell whether a caller has the credentials that such a call needs.

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
    world: World, who: Who, role: Identity, keys: Keys, now: Situation
) -> bool:
    """Decide `sts:AssumeRole` with the keys that are known of it."""
    asked = Request(who.identity, who.extra, "sts:AssumeRole", role.id)
    call = Call(asked.action, asked.resource, keys, now)
    return _granted(world, asked, who.identity, call)


def _is_iam(action: str) -> bool:
    return action.lower().startswith("iam:")


def _through(world: World, asked: Request, now: Situation) -> bool:
    """Ask the access point, and what lies behind it, where there is one.

    "For an application or user to be able to access objects through an access point,
    both the access point and the underlying bucket must permit the request."
    """
    holder = holder_of(asked.resource)
    if ":accesspoint/" not in holder or not holder.startswith("arn:aws:s3:"):
        return _judged(world, asked, now)
    point = world.resources.get(holder)
    if point is None or not point.behind:
        bucket_allows = now.holds(UNCOLLECTED, "Allows", [f"{holder}#bucket"])
        return bucket_allows and _judged(world, replace(asked, door=_name(holder)), now)
    _, inside, key = asked.resource.partition("/object/")
    bucket = f"{point.behind}/{key}" if inside else str(point.behind)
    places = (str(point.behind), owner_of(world, point.behind))
    door = _door(point)
    front = Request(
        asked.caller, asked.extra, asked.action, asked.resource, places, door
    )
    if not _judged(world, front, now):
        return False
    if not possible(world.catalogue, asked.action, bucket):
        return True  # the access point itself is acted on
    back = Request(asked.caller, asked.extra, asked.action, bucket, (), door)
    return _in_network(world, point, front, now) and _judged(world, back, now)


def _name(point: str) -> Keys:
    """What the ARN of an access point says by itself."""
    return {
        "s3:dataaccesspointarn": (point,),
        "s3:dataaccesspointaccount": (account_of(point),),
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


def _judged(world: World, asked: Request, now: Situation) -> bool:
    """Ask every policy about one resource."""
    keys = keys_of(world, asked.caller, asked.action, asked.resource, asked.door)
    call = Call(asked.action, asked.resource, keys, now)
    if isinstance(asked.caller, Identity):
        return _granted(world, asked, asked.caller, call)
    own = _own(world, asked)
    if _denied_there(world, asked, own, call) or not _endpoint_allows(
        world, asked, call
    ):
        return False
    hows = HOWS if isinstance(asked.caller, Foreign) else ("direct",)
    return any(_says(world, asked, own, how, True, call) for how in hows)


def _granted(world: World, asked: Request, mine: Identity, call: Call) -> bool:
    """The formula: what must allow, and that nothing denies."""
    own = _own(world, asked)
    if _denied_here(world, asked, mine, call) or _denied_there(world, asked, own, call):
        return False
    if not scps_allow(world, mine, call) or not _endpoint_allows(world, asked, call):
        return False
    abroad = owner_of(world, asked.resource) not in ("", mine.account)

    def says(how: str) -> bool:
        return _says(world, asked, own, how, abroad, call)

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
    if is_root(mine) or spoken(asked.extra, Effect.ALLOW, call):
        return True
    return allows(written(world, mine.id, Layer.IDENTITY), call)


def _limits_allow(world: World, mine: Identity, call: Call) -> bool:
    """Boundary and session policy: each lets through what it allows, where it is."""
    boundary = written(world, mine.id, Layer.BOUNDARY)
    if boundary.attached and not allows(boundary, call):
        return False
    return world.session is None or allows(stated(world.session), call)


def _denied_here(world: World, asked: Request, mine: Identity, call: Call) -> bool:
    """Denies on the caller's side."""
    session = stated(world.session) if world.session else _NOTHING
    return (
        spoken(asked.extra, Effect.DENY, call)
        or denies(written(world, mine.id, Layer.IDENTITY), call)
        or denies(written(world, mine.id, Layer.BOUNDARY), call)
        or denies(session, call)
        or scps_deny(world, mine, call)
    )


def _denied_there(world: World, asked: Request, own: Own, call: Call) -> bool:
    """Denies on the resource's side and on the way to it."""
    caller = asked.caller
    mine = caller if isinstance(caller, Identity) else None
    linked = mine is not None and is_service_linked(mine)
    bounded = mine is not None and has_policy(world, mine, Layer.BOUNDARY)
    owner = owner_of(world, asked.resource)
    endpoint = stated(world.endpoint) if world.endpoint else _NOTHING
    return (
        refuses(own.here, caller, bounded, call)
        or refuses(endpoint, caller, bounded, call)
        or rcps_deny(world, linked, owner, call)
    )


def _endpoint_allows(world: World, asked: Request, call: Call) -> bool:
    if world.endpoint is None:
        return True
    here = stated(world.endpoint)
    return any(grants(here, asked.caller, how, call) for how in HOWS)


def _own(world: World, asked: Request) -> Own:
    """Find the policy of a resource itself: a role's is its trust policy."""
    if asked.action.lower() in TRUST_CALLS and ":role/" in asked.resource:
        here = written(world, asked.resource, Layer.TRUST)
        return Own(f"{asked.resource}#trust", here.attached, here, True)
    holder = holder_of(asked.resource)
    here = written(world, holder, Layer.RESOURCE)
    names = [a.policy for a in world.attached.get((holder, Layer.RESOURCE), [])]
    collected = any(not name.endswith("#grants") for name in names)
    key = asked.action.lower().startswith("kms:") and ":key/" in asked.resource
    return Own(f"{holder}#policy", collected, here, key)


def _says(
    world: World, asked: Request, own: Own, how: str, abroad: bool, call: Call
) -> bool:
    """Tell whether the resource's own policy lets the caller in, in one way.

    Where nobody asked for that policy and its word is needed, it is a question.
    """
    if grants(own.here, asked.caller, how, call):
        return not (abroad and _shut_out(world, asked, own, call))
    if own.collected or how != "direct" or not (abroad or own.required):
        return False
    return call.now.holds(UNCOLLECTED, "Allows", [own.name])


def _shut_out(world: World, asked: Request, own: Own, call: Call) -> bool:
    """Tell whether a public-access block keeps the caller out."""
    if not asked.action.lower().startswith("s3:") or isinstance(asked.caller, Service):
        return False
    places = [holder_of(asked.resource), owner_of(world, asked.resource), *asked.places]
    return shut_out(world, places, own.name, own.here, call.now)
