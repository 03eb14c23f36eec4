"""Compilation of facts into the parts of compiled accounts."""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.identity import Account, Identity
from answerable.model.ids import PolicyId, ResourceId
from answerable.model.policy import Effect, Layer, Policy
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.attachments import Builder, Held
from answerable.reach.aws.compiled.organization_policies import (
    Fence,
    Limit,
    fence_of,
    is_service_linked,
    levels_of,
)
from answerable.reach.aws.compiled.principals import (
    EVERYTHING_CLAUSE,
    Principal,
    is_editable,
    is_root,
    known_of,
)
from answerable.reach.aws.compiled.resources import holder_of, owner_of
from answerable.reach.aws.compiled.statements import UNCOLLECTED, Gap, Grant
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    make_policy,
)
from answerable.reach.aws.evaluation.trust import Trust


def stated(builder: Builder, policy: Policy | None, layer: Layer) -> Limit | None:
    """Compile a policy that the question states."""
    if policy is None:
        return None
    grants, gaps = builder.stated(policy, layer)
    return Limit(layer, policy.id, tuple(grants), tuple(gaps))


def holders_of(
    builder: Builder, resources: Mapping[ResourceId, Resource]
) -> dict[str, ResourcePolicy]:
    """Compile resource policies, by ARN."""
    return {
        target: make_policy(
            target,
            owner_of(resources, target, holder_of(target)),
            held.grants,
            [*held.gaps, *_ungranted(target, held)],
        )
        for target, held in sorted(
            builder.targets(Layer.RESOURCE), key=lambda pair: pair[0]
        )
    }


def _ungranted(target: str, held: Held) -> Iterator[Gap]:
    """Yield a gap where a KMS key's grants were collected but not its policy."""
    if all(policy.endswith("#grants") for policy in held.policies):
        policy = PolicyId(f"{target}#policy")
        yield Gap(UNCOLLECTED, Layer.RESOURCE, policy, "", denies=False)


def paths_over(
    accounts: Mapping[str, Account],
    identities: Iterable[Identity],
    holders: Mapping[str, ResourcePolicy],
) -> dict[str, tuple[str, ...]]:
    """List the organisation path of each account, root first; none for management."""
    numbers = {account.id for account in accounts.values()}
    numbers |= {i.account for i in identities} | {h.account for h in holders.values()}
    found = {}
    for number in sorted(numbers - {""}):
        account = accounts.get(number)
        if account is None or not account.management:
            # "SCPs don't affect users or roles in the management account", and "RCPs
            # don't affect resources in the management account".
            found[number] = (*(account.parents if account else ()), number)
    return found


def controls_over(
    builder: Builder, paths: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[Limit, ...]]:
    """Compile the SCP levels of each account that has any."""
    known: dict[str, Limit] = {}
    found = {
        number: levels_of(path, builder.at, known) for number, path in paths.items()
    }
    return {number: levels for number, levels in found.items() if levels}


def fences_over(
    builder: Builder, paths: Mapping[str, tuple[str, ...]]
) -> dict[str, Fence]:
    """Compile the RCPs of each account that has any."""
    found = {
        number: fence_of(number, path, builder.at) for number, path in paths.items()
    }
    return {number: fence for number, fence in found.items() if fence}


def make_principal(
    identity: Identity,
    builder: Builder,
    accounts: Mapping[str, Account],
    controls: Mapping[str, tuple[Limit, ...]],
    trust: Trust | None,
) -> Principal:
    """Compile an identity with its own policies and its account's SCPs."""
    held = builder.at(identity.id, Layer.IDENTITY) or Held()
    boundary = builder.at(identity.id, Layer.BOUNDARY)
    grants, gaps = list(held.grants), list(held.gaps)
    if boundary:
        gaps += boundary.gaps
    if is_root(identity):
        policy = PolicyId(f"{identity.id}#root")
        grants.append(Grant(EVERYTHING_CLAUSE, Layer.IDENTITY, policy, "root"))
    seen = bool(held.policies or boundary or (trust and trust.seen))
    collected = is_root(identity) or bool(identity.unique_id) or seen
    if not collected:
        policy = PolicyId(f"{identity.id}#policies")
        gaps.append(Gap(UNCOLLECTED, Layer.IDENTITY, policy, ""))
    linked = is_service_linked(identity)
    levels = () if linked else controls.get(identity.account, ())
    for level in levels:
        gaps += level.gaps
    fixed = collected and (trust is None or not trust.tags_sessions)
    return Principal(
        identity=identity,
        grants=tuple(grants),
        boundary=tuple(boundary.grants) if boundary else None,
        boundary_id=boundary.policies[-1] if boundary else "",
        gaps=tuple(gaps),
        known=known_of(identity, accounts, tags_fixed=fixed),
        groups=tuple(dict.fromkeys(builder.member_of.get(identity.id, ()))),
        policies=tuple(dict.fromkeys(p for p in held.policies if is_editable(p))),
        collected=collected,
        levels=levels,
        linked=linked,
    )


def make_trust(
    identity: Identity, builder: Builder, fences: Mapping[str, Fence]
) -> Trust:
    """Compile a role's trust policy."""
    found = builder.at(identity.id, Layer.TRUST)
    held = found or Held()
    linked = is_service_linked(identity)
    return Trust(
        role=identity.id,
        account=identity.account,
        grants=tuple(held.grants),
        gaps=tuple(held.gaps),
        collected=held.collected,
        plain=held.collected and not held.gaps and is_plain(held.grants),
        fence=None if linked else fences.get(identity.account),
        seen=found is not None,
    )


def is_plain(grants: Iterable[Grant]) -> bool:
    """Tell whether all statements are allows without conditions."""
    return all(g.clause.static and g.clause.effect is Effect.ALLOW for g in grants)
