"""Facts and catalogue of the reference evaluation."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import cached_property

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.identity import Account, Identity
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.resource import Resource
from answerable.model.sighting import SightedFacts
from tests.reference.reach.conditions import glob

UNCOLLECTED = "answerable:uncollected-policy"
UNREAD = "answerable:unread-statement"
Gap = tuple[str, str]  # what is missing, and its name


@dataclass(frozen=True)
class Subject:
    """A principal, with statements it gained on a path."""

    identity: Identity
    extra: tuple[Statement, ...] = ()


@dataclass(frozen=True)
class World:
    """The facts, the catalogue, and what the question states.

    Attributes:
        facts: What was collected.
        catalogue: Which actions there are.
        given: Condition keys the question states, in lower case.
        session: Session policy of the subject.
        endpoint: The policy of the VPC endpoint that the call goes through.
        tags_collected: Whether a tag that is not there is known to be absent.
    """

    facts: SightedFacts
    catalogue: ActionCatalogue
    given: dict[str, tuple[str, ...]] = field(default_factory=dict)
    session: Policy | None = None
    endpoint: Policy | None = None
    tags_collected: bool = False

    @cached_property
    def policies(self) -> dict[str, Policy]:
        """Policies by id."""
        return {policy.id: policy for policy in self.facts.policies}

    @cached_property
    def attached(self) -> dict[tuple[str, PolicyLayer], list[PolicyAttachment]]:
        """Attachments by target and layer."""
        found: dict[tuple[str, PolicyLayer], list[PolicyAttachment]] = {}
        for one in self.facts.attachments:
            found.setdefault((one.target, one.layer), []).append(one)
        return found

    @cached_property
    def resources(self) -> dict[str, Resource]:
        """Resources by ARN."""
        return {resource.id: resource for resource in self.facts.resources}

    @cached_property
    def identities(self) -> dict[str, Identity]:
        """Identities by ARN."""
        return {identity.id: identity for identity in self.facts.identities}


@dataclass(frozen=True)
class PlacedPolicy:
    """What stands at one place: statements, and the gaps between them.

    Attributes:
        attached: False where no policy is attached at all; one may be, and be empty.
        statements: What could be read.
        gaps: Policies that were not collected, statements that could not be read.
    """

    attached: bool
    statements: tuple[Statement, ...] = ()
    gaps: tuple[Gap, ...] = ()


def collect_attached(world: World, target: str, layer: PolicyLayer) -> PlacedPolicy:
    """Collect what is attached to a target at a layer."""
    here = world.attached.get((target, layer), [])
    said: list[Statement] = []
    gaps: list[Gap] = []
    for attachment in here:
        policy = world.policies.get(attachment.policy)
        if policy is None:
            gaps.append((UNCOLLECTED, str(attachment.policy)))
        else:
            said += policy.statements
            gaps += _unread(policy)
    if layer is PolicyLayer.IDENTITY and is_known_by_name_only(world, target):
        gaps.append((UNCOLLECTED, f"{target}#policies"))
    return PlacedPolicy(bool(here), tuple(said), tuple(gaps))


def is_known_by_name_only(world: World, target: str) -> bool:
    """Return whether an identity is known by name only: nobody asked what it may do."""
    identity = world.identities.get(target)
    if identity is None or identity.unique_id or is_root(identity):
        return False
    layers = (PolicyLayer.IDENTITY, PolicyLayer.BOUNDARY, PolicyLayer.TRUST)
    return not any((target, layer) in world.attached for layer in layers)


def read_stated_policy(policy: Policy) -> PlacedPolicy:
    """What a policy says that the question gives."""
    return PlacedPolicy(True, policy.statements, tuple(_unread(policy)))


def _unread(policy: Policy) -> list[Gap]:
    return [(UNREAD, f"{policy.id}#{gone.sid}") for gone in policy.unread]


def can_act_on(catalogue: ActionCatalogue, action: str, resource: str) -> bool:
    """Return whether the action can act on such a resource."""
    entry = catalogue.find_action(action)
    if entry is None or resource == "*":
        return True
    parts = resource.split(":", 5)
    if len(parts) != 6:
        return False
    for name in entry.resource_types:
        if (entry.service, name) == ("s3", "bucket") and "/" in parts[5]:
            continue
        pattern = catalogue.services[entry.service].resource_types[name].arn
        if all(map(glob, pattern.split(":", 5), parts)):
            return True
    return False


def list_statements(
    world: World, who: Identity, layer: PolicyLayer
) -> Iterator[Statement]:
    """Every statement that stands at a layer of an identity."""
    yield from collect_attached(world, who.id, layer).statements


def has_policy(world: World, who: Identity, layer: PolicyLayer) -> bool:
    """Return whether an identity has a policy at a layer, be it an empty one."""
    return (str(who.id), layer) in world.attached


def find_identity(world: World, arn: str) -> Identity | None:
    """Find an identity by ARN."""
    return world.identities.get(arn)


def find_account(world: World, number: str) -> Account | None:
    """Find an account by its number."""
    return next((a for a in world.facts.accounts if a.id == number), None)


def is_role(identity: Identity) -> bool:
    """Tell a role from a user."""
    return ":role/" in identity.id


def is_root(identity: Identity) -> bool:
    """Tell the root user of an account, who is allowed what no policy denies.

    Source: IAM User Guide, "How AWS enforcement code logic evaluates requests": all
    requests are implicitly denied "with the exception of the AWS account root user".
    """
    return identity.kind == "aws-root"


def is_service_linked(identity: Identity) -> bool:
    """Tell a role that a service made for itself.

    Source: IAM User Guide, "Service-linked roles": their path is `/aws-service-role/`.
    """
    return (
        identity.kind == "aws-service-role" or ":role/aws-service-role/" in identity.id
    )


def get_account(arn: str) -> str:
    """The account that an ARN names: twelve digits, else empty.

    AWS's own policies stand under `aws`, which is nobody's account.
    """
    number = (*arn.split(":", 5), "", "", "", "", "")[4]
    return number if number.isdecimal() and len(number) == 12 else ""


def find_owner(world: World, resource: str) -> str:
    """The account that owns a resource, empty where nobody said.

    ARNs of buckets and objects name no account: the bucket's own record does.
    """
    known = world.resources.get(resource) or world.resources.get(
        find_policy_holder(resource)
    )
    return get_account(resource) or (known.account if known else "")


def find_policy_holder(resource: str) -> str:
    """The resource whose policy speaks for this one.

    An object has none of its own, its bucket has; what lies behind an access point is
    spoken for by that door. A version or alias of a function has a policy of its own
    (Lambda Developer Guide, GetPolicy with a qualifier).
    """
    parts = resource.split(":", 5)
    if len(parts) < 6:
        return resource
    service, name = parts[2], parts[5]
    if service == "s3" and name.startswith("accesspoint/"):
        return ":".join([*parts[:5], "/".join(name.split("/")[:2])])
    if service == "s3" and not parts[4]:
        return ":".join([*parts[:5], name.partition("/")[0]])
    return resource
