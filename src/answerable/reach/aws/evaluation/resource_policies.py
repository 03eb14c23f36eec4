"""Evaluate a resource policy for one caller.

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
from answerable.reach.aws.compiled.resources import list_covered_arn_patterns
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
    evaluate_statement_on_resource,
    select_statements,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.request import (
    AwsRequest,
    ResourcePolicyResult,
    describe_gap,
    describe_statement,
)
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.condition_formula import FALSE, TRUE, Formula, conjoin, disjoin
from answerable.reach.platform import DeterminingStatement


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
        """Policy layer, for statements and gaps: that of resource policies."""
        return PolicyLayer.RESOURCE

    @property
    def policy(self) -> str:
        """Id of the resource policy."""
        return f"{self.resource}#policy"

    @property
    def service(self) -> str:
        """AWS service of the resource, such as `s3`."""
        return (*self.resource.split(":", 3), "", "", "")[2]

    @property
    def has_denies_or_unread_statements(self) -> bool:
        """Return whether the policy has deny statements, or statements that were not read."""
        denies = (g.clause.effect is PolicyEffect.DENY for g in self.grants)
        return bool(self.gaps) or any(denies)

    def select_statements(self, action: str) -> tuple[PolicyStatement, ...]:
        """Select the statements that match an action in lower case."""
        return select_statements(self.grants, self._by_action, action)


DenyingPolicies = tuple[PolicyStatement | None, tuple[ResourcePolicy, ...]]


def group_denying_policies(
    policies: Iterable[ResourcePolicy],
) -> dict[str, tuple[DenyingPolicies, ...]]:
    """Group the policies that may deny, by service and equal denies.

    Returns:
        Each deny with every policy that holds an equal one on its resource; under None
        the policies with gaps.
    """
    grants: dict[str, dict[object, PolicyStatement | None]] = defaultdict(dict)
    owners: dict[object, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in policies:
        for grant in own.grants:
            if grant.clause.effect is PolicyEffect.DENY:
                shape = own.service, *_get_deny_comparison_key(grant.clause)
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


def _get_deny_comparison_key(statement: CompiledStatement) -> tuple[object, ...]:
    """Return the fields that make two denies equal, their resource aside."""
    return (
        statement.actions,
        statement.not_actions,
        statement.principals,
        statement.not_principals,
        statement.conditions,
    )


def group_granting_policies(
    policies: Iterable[ResourcePolicy],
) -> dict[str, tuple[ResourcePolicy, ...]]:
    """Group the policies that allow, by the principal they name; `*` for anyone."""
    found: dict[str, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in policies:
        for grant in own.grants:
            if grant.clause.effect is PolicyEffect.ALLOW:
                for key in _list_principals_named_by_statement(grant.clause):
                    found[key][own] = None
        if own.gaps:
            found["*"][own] = None
    return {key: tuple(own) for key, own in found.items()}


def _list_principals_named_by_statement(statement: CompiledStatement) -> Iterator[str]:
    """Yield the principals that a statement names, `*` for anyone."""
    naming = statement.naming
    if naming.everyone or statement.not_principals:
        yield "*"
    yield from naming.ids
    for account, role in naming.sessions:
        yield f"{account} {role}"


def build_resource_policy(
    resource: str,
    account: str,
    statements: Iterable[PolicyStatement],
    gaps: Iterable[PolicyGap],
) -> ResourcePolicy:
    """Build a compiled resource policy, with the ARN patterns it covers."""
    return ResourcePolicy(
        resource,
        account,
        tuple(statements),
        tuple(gaps),
        list_covered_arn_patterns(resource),
    )


ResourceOwnPolicy = ResourcePolicy | RoleTrust
Namer = Callable[[CompiledStatement], NamingFormulas]


def evaluate_resource_policy_for_principal(
    policy: ResourceOwnPolicy,
    principal: CompiledPrincipal,
    request: AwsRequest,
    known_keys: ContextKeys,
) -> ResourcePolicyResult:
    """Evaluate a resource policy for a principal of the snapshot.

    Args:
        policy: The policy.
        principal: The identity.
        request: The request.
        known_keys: All known keys.
    """
    near = not request.owner or request.owner == principal.identity.account
    trusts = request.action in TRUST_POLICY_ACTIONS

    def namer(statement: CompiledStatement) -> NamingFormulas:
        return match_principal(statement, principal, known_keys, starts_session=trusts)

    return evaluate_resource_policy_for_caller(
        policy, namer, request, known_keys, same_account=near
    )


def evaluate_resource_policy_for_caller(
    policy: ResourceOwnPolicy,
    match_caller: Namer,
    request: AwsRequest,
    known_keys: ContextKeys,
    *,
    same_account: bool = True,
) -> ResourcePolicyResult:
    """Evaluate a resource policy for the caller that `match_caller` recognises."""
    escaping = direct = account = denied = FALSE
    by: list[DeterminingStatement] = []
    sure: list[DeterminingStatement] = []
    for grant in policy.select_statements(request.action):
        clause = grant.clause
        named = match_caller(clause)
        if not named:
            continue
        held = evaluate_statement_on_resource(clause, request.parts, known_keys)
        if held == FALSE:
            continue
        by.append(describe_statement(grant))
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
    for gap in policy.gaps:
        direct = disjoin(direct, gap.get_open_condition("Allows"))
        by.append(describe_gap(gap))
    return ResourcePolicyResult(
        escaping=escaping,
        direct=direct,
        account=account,
        denied=denied,
        same_account=same_account,
        determining=tuple(by),
        gaps=policy.gaps,
        denying=tuple(sure),
        policy=policy.policy,
        required=requires_resource_policy(request),
        layer=policy.layer,
    )


def requires_resource_policy(request: AwsRequest) -> bool:
    """Return whether the resource policy must allow the request (KMS, trust)."""
    if request.action in TRUST_POLICY_ACTIONS:
        return True
    return request.action.startswith("kms:") and needs_key_policy(request.resource)


def build_result_for_uncollected_policy(
    policy: str, layer: PolicyLayer, request: AwsRequest, *, same_account: bool
) -> ResourcePolicyResult:
    """Build an undecided result for a policy that was not collected.

    Coverage reports that it might deny.
    """
    gap = PolicyGap(UNCOLLECTED, layer, PolicyId(policy), "", denies=False)
    return ResourcePolicyResult(
        escaping=FALSE,
        direct=gap.get_open_condition("Allows"),
        account=FALSE,
        denied=FALSE,
        same_account=same_account,
        determining=(describe_gap(gap),),
        gaps=(gap,),
        policy=policy,
        required=requires_resource_policy(request),
        layer=layer,
    )


def build_neutral_policy_result(
    policy: str, layer: PolicyLayer, *, further_condition: Formula
) -> ResourcePolicyResult:
    """Build a result that neither allows nor denies, with one more condition."""
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
        also=further_condition,
    )
