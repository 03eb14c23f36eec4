"""Compile the resources of an evaluation, with accounts and policies, into bitsets."""

from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import NamedTuple

from answerable.model.ids import IdentityId, ResourceId
from answerable.reach.aws.bulk.bitset import (
    EMPTY_BOUNDS,
    ArnIndex,
    BitsetBounds,
    build_bitset,
)
from answerable.reach.aws.bulk.statement_effects import CallResources
from answerable.reach.aws.compiled.accounts import CompiledAccounts
from answerable.reach.aws.compiled.limiting_policies import SERVICE_ROLE_PATH
from answerable.reach.aws.compiled.service_facts import needs_key_policy
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.resource_policies import ResourcePolicy
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.condition_formula import FALSE, TRUE


class AccountView(NamedTuple):
    """Resources as seen from one account, as bitsets.

    Attributes:
        near: Resources of the account, or of an unknown account.
        free: Of these, those for which identity policies suffice.
        bound: Of these, those whose resource policy must allow.
        far: Resources of other accounts.
        silent: Resources whose policy was not collected, or not read completely.
    """

    near: int
    free: int
    bound: int
    far: int
    silent: int


@dataclass(frozen=True, slots=True, eq=False)
class ResourceSpace:
    """Resources, each with its account and its resource policy.

    Attributes:
        owners: Resources by account; the empty account for those not known.
        spoken: Statements of resource policies, each with its resources.
        unread: Resources whose policy was not read completely.
        unread_denies: Likewise, where the unread part might deny.
        missing: Resources whose policy was not collected.
        keys: KMS keys: the key policy must allow every call.
        shut: Resources that a public-access block closes to other accounts.
        access_points: Access points; the policy of their bucket applies too.
        free: Service-linked roles, which RCPs do not bind.
    """

    space: CallResources
    owners: dict[str, int]
    spoken: tuple[tuple[CompiledStatement, int], ...]
    unread: int = 0
    unread_denies: int = 0
    missing: int = 0
    keys: int = 0
    shut: BitsetBounds = EMPTY_BOUNDS
    access_points: int = 0
    free: int = 0

    @property
    def arn_index(self) -> ArnIndex:
        """Index of the resources by ARN."""
        return self.space.texts

    def classify_resources_for_account(
        self, account: str, required: int
    ) -> AccountView:
        """Classify the resources as seen from an account: own, foreign, unreadable.

        Args:
            account: Account number of the caller.
            required: Resources whose policy must allow.
        """
        near = self.owners.get(account, 0) | self.owners.get("", 0)
        far = self.arn_index.all & ~near
        silent = self.unread | (self.missing & (required | far))
        return AccountView(near, near & ~required, near & required, far, silent)


def build_resource_space(
    accounts: CompiledAccounts,
    resources: Iterable[str],
    *,
    use_trust_policies: bool = False,
) -> ResourceSpace:
    """Compile resources, with their accounts and policies, into bitsets.

    Args:
        accounts: The compiled accounts.
        resources: ARNs, those of one service, region and account adjacent.
        use_trust_policies: Use the trust policies of roles as their resource policies.
    """
    listed = list(resources)
    size = len(listed)
    places = [accounts.look_up_resource(text) for text in listed]
    owners: dict[str, list[int]] = defaultdict(list)
    for number, place in enumerate(places):
        owners[place.owner].append(number)
    held = [
        _find_trust_policy(accounts, text)
        if use_trust_policies
        else accounts.holders.get(place.holder)
        for text, place in zip(listed, places, strict=True)
    ]
    spoken: dict[CompiledStatement, list[int]] = defaultdict(list)
    for number, own in enumerate(held):
        for grant in own.grants if own else ():
            spoken[grant.clause].append(number)

    def gather(numbers: Iterable[int]) -> int:
        return build_bitset(numbers, size)

    texts = ArnIndex(listed, [place.parts for place in places])

    return ResourceSpace(
        space=CallResources(texts, [place.known for place in places]),
        owners={owner: gather(numbers) for owner, numbers in owners.items()},
        spoken=tuple((clause, gather(numbers)) for clause, numbers in spoken.items()),
        unread=gather(n for n, own in enumerate(held) if own and own.gaps),
        unread_denies=gather(
            n for n, own in enumerate(held) if own and any(g.denies for g in own.gaps)
        ),
        missing=gather(n for n, own in enumerate(held) if own is None),
        keys=gather(n for n, text in enumerate(listed) if needs_key_policy(text)),
        shut=_find_public_access_blocked(accounts, held, size),
        access_points=gather(n for n, place in enumerate(places) if place.access_point),
        free=gather(n for n, text in enumerate(listed) if SERVICE_ROLE_PATH in text),
    )


def without_resource_policies(space: ResourceSpace) -> ResourceSpace:
    """Return the same resources without their resource policies."""
    return replace(space, spoken=(), unread=0, unread_denies=0, missing=0)


def _find_trust_policy(accounts: CompiledAccounts, role: str) -> RoleTrust | None:
    """Return a role's trust policy, None where none was collected."""
    trust = accounts.trusts.get(IdentityId(role))
    return trust if trust and (trust.collected or trust.gaps) else None


def _find_public_access_blocked(
    accounts: CompiledAccounts,
    policies: Iterable[ResourcePolicy | RoleTrust | None],
    size: int,
) -> BitsetBounds:
    """Find the resources that a public-access block closes to other accounts."""
    sure: list[int] = []
    maybe: list[int] = []
    blocks = {t for t, b in accounts.public_access.items() if b.restrict_public_buckets}
    if not blocks:
        return EMPTY_BOUNDS
    from answerable.reach.aws.compiled.s3_public_access import (
        evaluate_whether_policy_is_public,
    )

    for number, own in enumerate(policies):
        if isinstance(own, ResourcePolicy) and (
            own.resource in blocks or own.account in blocks
        ):
            public = evaluate_whether_policy_is_public(
                own, accounts.access_points.get(ResourceId(own.resource))
            )
            if public != FALSE:
                maybe.append(number)
            if public == TRUE:
                sure.append(number)
    return BitsetBounds(build_bitset(sure, size), build_bitset(maybe, size))


def list_rcp_denies(
    accounts: CompiledAccounts, space: ResourceSpace, action: str
) -> Iterator[tuple[CompiledStatement, int]]:
    """List the RCP denies of an action, each with the resources it applies to."""
    for account, fence in accounts.rcps.items():
        bits = space.owners.get(account, 0) & ~space.free
        for grant in fence.select_denies(action) if bits else ():
            yield grant.clause, bits


def find_resources_with_unread_rcps(
    accounts: CompiledAccounts, space: ResourceSpace
) -> int:
    """Return the resources of accounts that have an RCP that was not read."""
    found = 0
    for account, fence in accounts.rcps.items():
        if fence.gaps:
            found |= space.owners.get(account, 0)
    return found & ~space.free
