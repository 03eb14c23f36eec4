"""Compile single principals, trust policies, resource policies, SCPs and RCPs."""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.identity import Account, Identity
from answerable.model.ids import PolicyId, ResourceId
from answerable.model.policy import Policy, PolicyLayer
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.attachments import (
    AttachedPolicies,
    AttachmentCompiler,
)
from answerable.reach.aws.compiled.limiting_policies import (
    LimitingLayer,
    RcpDenies,
    compile_rcp_denies,
    compile_scp_levels,
    is_service_linked,
)
from answerable.reach.aws.compiled.principals import (
    FULL_ACCESS_STATEMENT,
    CompiledPrincipal,
    are_unconditional_allows,
    collect_principal_condition_keys,
    is_customer_managed_policy,
    is_root_user,
)
from answerable.reach.aws.compiled.resources import (
    find_resource_account,
    get_policy_holder,
)
from answerable.reach.aws.compiled.statements import (
    UNCOLLECTED,
    PolicyGap,
    PolicyStatement,
)
from answerable.reach.aws.evaluation.resource_policies import (
    ResourcePolicy,
    build_resource_policy,
)
from answerable.reach.aws.evaluation.trust_policies import RoleTrust


def compile_stated_policy(
    attachments: AttachmentCompiler, policy: Policy | None, layer: PolicyLayer
) -> LimitingLayer | None:
    """Compile the session or endpoint policy that a question states."""
    if policy is None:
        return None
    grants, gaps = attachments.interner.compile_policy_for_layer(policy, layer)
    return LimitingLayer(layer, policy.id, tuple(grants), tuple(gaps))


def compile_resource_policies(
    attachments: AttachmentCompiler, resources: Mapping[ResourceId, Resource]
) -> dict[str, ResourcePolicy]:
    """Compile resource policies, by ARN."""
    return {
        target: build_resource_policy(
            target,
            find_resource_account(resources, target, get_policy_holder(target)),
            held.grants,
            [*held.gaps, *_list_missing_kms_key_policies(target, held)],
        )
        for target, held in sorted(
            attachments.list_targets_with_policies(PolicyLayer.RESOURCE),
            key=lambda pair: pair[0],
        )
    }


def _list_missing_kms_key_policies(
    target: str, attached: AttachedPolicies
) -> Iterator[PolicyGap]:
    """Yield a gap where a KMS key's grants were collected but not its policy."""
    if all(policy.endswith("#grants") for policy in attached.policies):
        policy = PolicyId(f"{target}#policy")
        yield PolicyGap(UNCOLLECTED, PolicyLayer.RESOURCE, policy, "", denies=False)


def list_organization_paths(
    accounts: Mapping[str, Account],
    identities: Iterable[Identity],
    policies: Mapping[str, ResourcePolicy],
) -> dict[str, tuple[str, ...]]:
    """Return each account's organisation path, root first; none for management."""
    numbers = {account.id for account in accounts.values()}
    numbers |= {i.account for i in identities} | {h.account for h in policies.values()}
    found = {}
    for number in sorted(numbers - {""}):
        account = accounts.get(number)
        if account is None or not account.management:
            # "SCPs don't affect users or roles in the management account", and "RCPs
            # don't affect resources in the management account".
            found[number] = (*(account.parents if account else ()), number)
    return found


def compile_scps_by_account(
    attachments: AttachmentCompiler, organization_paths: Mapping[str, tuple[str, ...]]
) -> dict[str, tuple[LimitingLayer, ...]]:
    """Compile the SCP levels of each account that has any."""
    known: dict[str, LimitingLayer] = {}
    found = {
        number: compile_scp_levels(path, attachments.get_policies_attached_to, known)
        for number, path in organization_paths.items()
    }
    return {number: levels for number, levels in found.items() if levels}


def compile_rcps_by_account(
    attachments: AttachmentCompiler, organization_paths: Mapping[str, tuple[str, ...]]
) -> dict[str, RcpDenies]:
    """Compile the RCPs of each account that has any."""
    found = {
        number: compile_rcp_denies(number, path, attachments.get_policies_attached_to)
        for number, path in organization_paths.items()
    }
    return {number: fence for number, fence in found.items() if fence}


def compile_principal(
    identity: Identity,
    attachments: AttachmentCompiler,
    accounts: Mapping[str, Account],
    scp_levels: Mapping[str, tuple[LimitingLayer, ...]],
    trust: RoleTrust | None,
) -> CompiledPrincipal:
    """Compile an identity with its own policies and its account's SCPs."""
    held = (
        attachments.get_policies_attached_to(identity.id, PolicyLayer.IDENTITY)
        or AttachedPolicies()
    )
    boundary = attachments.get_policies_attached_to(identity.id, PolicyLayer.BOUNDARY)
    grants, gaps = list(held.grants), list(held.gaps)
    if boundary:
        gaps += boundary.gaps
    if is_root_user(identity):
        policy = PolicyId(f"{identity.id}#root")
        grants.append(
            PolicyStatement(FULL_ACCESS_STATEMENT, PolicyLayer.IDENTITY, policy, "root")
        )
    seen = bool(held.policies or boundary or (trust and trust.seen))
    collected = is_root_user(identity) or bool(identity.unique_id) or seen
    if not collected:
        policy = PolicyId(f"{identity.id}#policies")
        gaps.append(PolicyGap(UNCOLLECTED, PolicyLayer.IDENTITY, policy, ""))
    linked = is_service_linked(identity)
    levels = () if linked else scp_levels.get(identity.account, ())
    for level in levels:
        gaps += level.gaps
    fixed = collected and (trust is None or not trust.allows_session_tags)
    return CompiledPrincipal(
        identity=identity,
        grants=tuple(grants),
        boundary=tuple(boundary.grants) if boundary else None,
        boundary_id=boundary.policies[-1] if boundary else "",
        gaps=tuple(gaps),
        known=collect_principal_condition_keys(identity, accounts, tags_fixed=fixed),
        groups=tuple(dict.fromkeys(attachments.member_of.get(identity.id, ()))),
        policies=tuple(
            dict.fromkeys(p for p in held.policies if is_customer_managed_policy(p))
        ),
        collected=collected,
        levels=levels,
        linked=linked,
    )


def compile_trust_policy(
    identity: Identity, attachments: AttachmentCompiler, rcps: Mapping[str, RcpDenies]
) -> RoleTrust:
    """Compile a role's trust policy."""
    found = attachments.get_policies_attached_to(identity.id, PolicyLayer.TRUST)
    held = found or AttachedPolicies()
    linked = is_service_linked(identity)
    return RoleTrust(
        role=identity.id,
        account=identity.account,
        grants=tuple(held.grants),
        gaps=tuple(held.gaps),
        collected=held.collected,
        plain=held.collected
        and not held.gaps
        and are_unconditional_allows(held.grants),
        rcps=None if linked else rcps.get(identity.account),
        seen=found is not None,
    )
