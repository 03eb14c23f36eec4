"""Evaluation of resource policies for a caller.

Source: AWS IAM User Guide, "Policies and permissions in AWS Identity and Access
Management", resource-based policies, and "Cross-account policy evaluation logic".
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field

from answerable.model.ids import PolicyId
from answerable.model.policy import Effect, Layer
from answerable.reach.aws.compiled.principal_matching import Names, names
from answerable.reach.aws.compiled.principals import Principal
from answerable.reach.aws.compiled.resources import spoken_of
from answerable.reach.aws.compiled.service_facts import TRUST_CALLS, needs_key_policy
from answerable.reach.aws.compiled.statements import (
    UNCOLLECTED,
    Clause,
    Gap,
    Grant,
    Terms,
    applies,
    speaking,
)
from answerable.reach.aws.evaluation.context_keys import Known
from answerable.reach.aws.evaluation.request import (
    Determining,
    Request,
    Side,
    name,
    unread_name,
)
from answerable.reach.aws.evaluation.trust import Trust
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.formula import FALSE, TRUE, Formula, both, either


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
    grants: tuple[Grant, ...]
    gaps: tuple[Gap, ...] = ()
    spoken_of: tuple[Parts, ...] = ()
    offers: dict[Parts, Terms | None] = field(default_factory=dict)
    _by_action: dict[str, tuple[Grant, ...]] = field(default_factory=dict)

    @property
    def layer(self) -> Layer:
        """Layer of the policy."""
        return Layer.RESOURCE

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
        denies = (g.clause.effect is Effect.DENY for g in self.grants)
        return bool(self.gaps) or any(denies)

    def speaking(self, action: str) -> tuple[Grant, ...]:
        """Select the statements that match an action in lower case."""
        return speaking(self.grants, self._by_action, action)


Denier = tuple[Grant | None, tuple[ResourcePolicy, ...]]


def deniers_of(holders: Iterable[ResourcePolicy]) -> dict[str, tuple[Denier, ...]]:
    """Group the policies that may deny, by service and equal denies.

    Returns:
        Each deny with every policy that holds an equal one on its resource; under None
        the policies with gaps.
    """
    grants: dict[str, dict[object, Grant | None]] = defaultdict(dict)
    owners: dict[object, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in holders:
        for grant in own.grants:
            if grant.clause.effect is Effect.DENY:
                shape = own.service, *_shape(grant.clause)
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


def _shape(clause: Clause) -> tuple[object, ...]:
    return (
        clause.actions,
        clause.not_actions,
        clause.principals,
        clause.not_principals,
        clause.conditions,
    )


def granters_of(
    holders: Iterable[ResourcePolicy],
) -> dict[str, tuple[ResourcePolicy, ...]]:
    """Group the policies that allow, by the principal they name; `*` for anyone."""
    found: dict[str, dict[ResourcePolicy, None]] = defaultdict(dict)
    for own in holders:
        for grant in own.grants:
            if grant.clause.effect is Effect.ALLOW:
                for key in _named(grant.clause):
                    found[key][own] = None
        if own.gaps:
            found["*"][own] = None
    return {key: tuple(own) for key, own in found.items()}


def _named(clause: Clause) -> Iterator[str]:
    naming = clause.naming
    if naming.everyone or clause.not_principals:
        yield "*"
    yield from naming.ids
    for account, role in naming.sessions:
        yield f"{account} {role}"


def make_policy(
    resource: str, account: str, grants: Iterable[Grant], gaps: Iterable[Gap]
) -> ResourcePolicy:
    """Build a resource policy."""
    return ResourcePolicy(
        resource, account, tuple(grants), tuple(gaps), spoken_of(resource)
    )


Own = ResourcePolicy | Trust
Namer = Callable[[Clause], Names]


def side_of(own: Own, principal: Principal, call: Request, known: Known) -> Side:
    """Evaluate a resource policy for an identity.

    Args:
        own: The policy.
        principal: The identity.
        call: The request.
        known: All known keys.
    """
    near = not call.owner or call.owner == principal.identity.account
    trusts = call.action in TRUST_CALLS

    def namer(clause: Clause) -> Names:
        return names(clause, principal, known, trusts=trusts)

    return said(own, namer, call, known, near=near)


def said(
    own: Own, namer: Namer, call: Request, known: Known, *, near: bool = True
) -> Side:
    """Evaluate a resource policy for the caller that `namer` matches."""
    escaping = direct = account = denied = FALSE
    by: list[Determining] = []
    sure: list[Determining] = []
    for grant in own.speaking(call.action):
        clause = grant.clause
        named = namer(clause)
        if not named:
            continue
        held = applies(clause, call.parts, known)
        if held == FALSE:
            continue
        by.append(name(grant))
        for how, formula in named:
            when = held if formula == TRUE else both(held, formula)
            if clause.effect is Effect.DENY:
                denied = either(denied, when)
                if when == TRUE:
                    sure.append(by[-1])
            elif how == "escaping":
                escaping = either(escaping, when)
            elif how == "direct":
                direct = either(direct, when)
            else:
                account = either(account, when)
    for gap in own.gaps:
        direct = either(direct, gap.may("Allows"))
        by.append(unread_name(gap))
    return Side(
        escaping=escaping,
        direct=direct,
        account=account,
        denied=denied,
        same_account=near,
        determining=tuple(by),
        gaps=own.gaps,
        denying=tuple(sure),
        policy=own.policy,
        required=is_required(call),
        layer=own.layer,
    )


def is_required(call: Request) -> bool:
    """Tell whether the resource policy must allow a call."""
    if call.action in TRUST_CALLS:
        return True
    return call.action.startswith("kms:") and needs_key_policy(call.resource)


def not_collected(policy: str, layer: Layer, call: Request, *, near: bool) -> Side:
    """Return an open result for a policy that was not collected.

    Coverage reports that it might deny.
    """
    gap = Gap(UNCOLLECTED, layer, PolicyId(policy), "", denies=False)
    return Side(
        escaping=FALSE,
        direct=gap.may("Allows"),
        account=FALSE,
        denied=FALSE,
        same_account=near,
        determining=(unread_name(gap),),
        gaps=(gap,),
        policy=policy,
        required=is_required(call),
        layer=layer,
    )


def silent(policy: str, layer: Layer, *, also: Formula) -> Side:
    """Return a result that neither allows nor denies, with a further condition."""
    return Side(
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
