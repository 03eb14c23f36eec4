"""Evaluation of resource policies for a caller.

Source: AWS IAM User Guide, "Policies and permissions in AWS Identity and Access
Management", resource-based policies, and "Cross-account policy evaluation logic".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.principal_matching import (
    NamingFormulas,
    match_principal,
)
from answerable.reach.aws.compiled.principals import CompiledPrincipal
from answerable.reach.aws.compiled.resources import list_policy_scope
from answerable.reach.aws.compiled.service_facts import (
    TRUST_POLICY_ACTIONS,
    needs_key_policy,
)
from answerable.reach.aws.compiled.statements import (
    UNCOLLECTED,
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
    StatementTerms,
    evaluate_statement,
    select_for_action,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    DeterminingStatement,
    ResourcePolicyResult,
    name_gap,
    name_statement,
)
from answerable.reach.aws.evaluation.trust import RoleTrust
from answerable.reach.aws.patterns.arns import ArnParts
from answerable.reach.formula import FALSE, TRUE, Formula, conjoin, disjoin


@dataclass(eq=False, slots=True)
class ResourcePolicy:
    """Resource policy; for a KMS key together with its grants.

    Attributes:
        resource: ARN of the resource that holds it.
        account: Account that owns the resource, empty where not known.
        grants: Statements; none where the resource is known to have no policy.
        gaps: Statements that were not read.
        spoken_of: ARN patterns it applies to: the resource and its contents.
        offers: Cache of the terms it may grant on each of these (`resource_grants`).
    """

    resource: str
    account: str
    grants: tuple[PolicyStatement, ...]
    gaps: tuple[PolicyGap, ...] = ()
    spoken_of: tuple[ArnParts, ...] = ()
    offers: dict[ArnParts, StatementTerms | None] = field(default_factory=dict)
    _by_action: dict[str, tuple[PolicyStatement, ...]] = field(default_factory=dict)

    @property
    def layer(self) -> PolicyLayer:
        """Layer of the policy."""
        return PolicyLayer.RESOURCE

    @property
    def policy(self) -> str:
        """Id of the policy."""
        return f"{self.resource}#policy"

    @property
    def service(self) -> str:
        """Service of the resource."""
        return (*self.resource.split(":", 3), "", "", "")[2]

    @property
    def may_deny(self) -> bool:
        """Tell whether it has denies or gaps."""
        denies = (g.clause.effect is PolicyEffect.DENY for g in self.grants)
        return bool(self.gaps) or any(denies)

    def select_statements(self, action: str) -> tuple[PolicyStatement, ...]:
        """Select the statements that match an action in lower case."""
        return select_for_action(self.grants, self._by_action, action)


DenyingPolicies = tuple[PolicyStatement | None, tuple[ResourcePolicy, ...]]


def group_denying_policies(
    holders: Iterable[ResourcePolicy],
) -> dict[str, tuple[DenyingPolicies, ...]]:
    """Group the policies that may deny, by service and equal denies.

    Returns:
        Each deny with every policy that holds an equal one on its resource; under None
        the policies with gaps.
    """
    grants: dict[str, dict[object, PolicyStatement | None]] = defaultdict(dict)
    owners: dict[object, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in holders:
        for grant in own.grants:
            if grant.clause.effect is PolicyEffect.DENY:
                shape = own.service, *_statement_shape(grant.clause)
                grants[own.service].setdefault(shape, grant)
                owners[shape][own] = None
        if own.gaps:
            shape = (own.service,)
            grants[own.service][shape] = None
            owners[shape][own] = None
    return {
        service: tuple((g, tuple(owners[shape])) for shape, g in shapes.items())
        for service, shapes in grants.items()
    }


def _statement_shape(clause: CompiledStatement) -> tuple[object, ...]:
    return (
        clause.actions,
        clause.not_actions,
        clause.principals,
        clause.not_principals,
        clause.conditions,
    )


def group_granting_policies(
    holders: Iterable[ResourcePolicy],
) -> dict[str, tuple[ResourcePolicy, ...]]:
    """Group the policies that allow, by the principal they name; `*` for anyone."""
    found: dict[str, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in holders:
        for grant in own.grants:
            if grant.clause.effect is PolicyEffect.ALLOW:
                for key in _list_named_principals(grant.clause):
                    found[key][own] = None
        if own.gaps:
            found["*"][own] = None
    return {key: tuple(own) for key, own in found.items()}


def _list_named_principals(clause: CompiledStatement) -> Iterator[str]:
    naming = clause.naming
    if naming.everyone or clause.not_principals:
        yield "*"
    yield from naming.ids
    for account, role in naming.sessions:
        yield f"{account} {role}"


def build_resource_policy(
    resource: str,
    account: str,
    grants: Iterable[PolicyStatement],
    gaps: Iterable[PolicyGap],
) -> ResourcePolicy:
    """Build a resource policy."""
    return ResourcePolicy(
        resource, account, tuple(grants), tuple(gaps), list_policy_scope(resource)
    )


ResourceOwnPolicy = ResourcePolicy | RoleTrust
Namer = Callable[[CompiledStatement], NamingFormulas]


def evaluate_policy_for_principal(
    own: ResourceOwnPolicy,
    principal: CompiledPrincipal,
    call: AwsRequest,
    known: ContextKeys,
) -> ResourcePolicyResult:
    """Evaluate a resource policy for an identity.

    Args:
        own: The policy.
        principal: The identity.
        call: The request.
        known: All known keys.
    """
    near = not call.owner or call.owner == principal.identity.account
    trusts = call.action in TRUST_POLICY_ACTIONS

    def namer(clause: CompiledStatement) -> NamingFormulas:
        return match_principal(clause, principal, known, trusts=trusts)

    return evaluate_policy(own, namer, call, known, near=near)


def evaluate_policy(
    own: ResourceOwnPolicy,
    namer: Namer,
    call: AwsRequest,
    known: ContextKeys,
    *,
    near: bool = True,
) -> ResourcePolicyResult:
    """Evaluate a resource policy for the caller that `namer` matches."""
    escaping = direct = account = denied = FALSE
    by: list[DeterminingStatement] = []
    sure: list[DeterminingStatement] = []
    for grant in own.select_statements(call.action):
        clause = grant.clause
        named = namer(clause)
        if not named:
            continue
        held = evaluate_statement(clause, call.parts, known)
        if held == FALSE:
            continue
        by.append(name_statement(grant))
        for how, formula in named:
            when = held if formula == TRUE else conjoin(held, formula)
            if clause.effect is PolicyEffect.DENY:
                denied = disjoin(denied, when)
                if when == TRUE:
                    sure.append(by[-1])
            elif how == "escaping":
                escaping = disjoin(escaping, when)
            elif how == "direct":
                direct = disjoin(direct, when)
            else:
                account = disjoin(account, when)
    for gap in own.gaps:
        direct = disjoin(direct, gap.get_open_condition("Allows"))
        by.append(name_gap(gap))
    return ResourcePolicyResult(
        escaping=escaping,
        direct=direct,
        account=account,
        denied=denied,
        same_account=near,
        determining=tuple(by),
        gaps=own.gaps,
        denying=tuple(sure),
        policy=own.policy,
        required=requires_resource_policy(call),
        layer=own.layer,
    )


def requires_resource_policy(call: AwsRequest) -> bool:
    """Tell whether the resource policy must allow a call."""
    if call.action in TRUST_POLICY_ACTIONS:
        return True
    return call.action.startswith("kms:") and needs_key_policy(call.resource)


def assume_uncollected(
    policy: str, layer: PolicyLayer, call: AwsRequest, *, near: bool
) -> ResourcePolicyResult:
    """Return an open result for a policy that was not collected.

    Coverage reports that it might deny.
    """
    gap = PolicyGap(UNCOLLECTED, layer, PolicyId(policy), "", denies=False)
    return ResourcePolicyResult(
        escaping=FALSE,
        direct=gap.get_open_condition("Allows"),
        account=FALSE,
        denied=FALSE,
        same_account=near,
        determining=(name_gap(gap),),
        gaps=(gap,),
        policy=policy,
        required=requires_resource_policy(call),
        layer=layer,
    )


def build_neutral_result(
    policy: str, layer: PolicyLayer, *, also: Formula
) -> ResourcePolicyResult:
    """Return a result that neither allows nor denies, with a further condition."""
    return ResourcePolicyResult(
        escaping=FALSE,
        direct=FALSE,
        account=FALSE,
        denied=FALSE,
        same_account=True,
        determining=(),
        policy=policy,
        required=False,
        layer=layer,
        also=also,
    )
