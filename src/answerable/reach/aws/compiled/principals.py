"""Compile an identity with every policy that applies to it, and select statements."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.aws_protected_objects import is_protected_role
from answerable.reach.aws.compiled.limiting_policies import LimitingLayer
from answerable.reach.aws.compiled.service_facts import needs_no_permission
from answerable.reach.aws.compiled.statements import (
    CompiledStatement,
    PolicyGap,
    PolicyStatement,
)
from answerable.reach.aws.evaluation.context_keys import ABSENT_KEY, ContextKeys
from answerable.reach.aws.patterns.action_pattern_index import (
    build_action_pattern_index,
)
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.aws.patterns.glob_matching import ANY_TEXT

LayerAllows = tuple[LimitingLayer, tuple[PolicyStatement, ...]]


@dataclass(frozen=True, slots=True)
class MatchingStatements:
    """Statements of a principal that match one action.

    Attributes:
        allows: Allows of its identity policies.
        bounds: Allows of its boundary.
        every_deny: Denies of identity policies, session policy, SCPs and boundary.
        session: Allows of its session policy; None where none is stated.
        levels: Allows of each SCP level that does not allow everything.
    """

    allows: tuple[PolicyStatement, ...]
    bounds: tuple[PolicyStatement, ...]
    every_deny: tuple[PolicyStatement, ...]
    session: LayerAllows | None = None
    levels: tuple[LayerAllows, ...] = ()


@dataclass(eq=False, slots=True)
class CompiledPrincipal:
    """Identity compiled for evaluation.

    Attributes:
        grants: Statements of its identity policies, also those of its groups.
        boundary: Statements of its boundary; None without a boundary. An empty
            boundary allows nothing.
        boundary_id: Policy id of the boundary.
        gaps: Policies and statements not read, at its own and its account's layers.
        known: Condition keys known for every request it makes.
        groups: Its groups that hold policies.
        policies: Customer-managed policies attached to it or its groups.
        extra: Permissions gained on a path: empty, `*` or a group.
        collected: False when it is known by name only.
        levels: SCP levels of its account; none for a service-linked role or the
            management account.
        session: Its session policy, None where none is stated.
        linked: Whether it is a service-linked role, which SCPs and RCPs do not bind.
    """

    identity: Identity
    grants: tuple[PolicyStatement, ...]
    boundary: tuple[PolicyStatement, ...] | None
    boundary_id: str
    gaps: tuple[PolicyGap, ...]
    known: ContextKeys
    groups: tuple[str, ...] = ()
    policies: tuple[PolicyId, ...] = ()
    extra: str = ""
    collected: bool = True
    levels: tuple[LimitingLayer, ...] = ()
    session: LimitingLayer | None = None
    linked: bool = False
    _by_action: dict[str, MatchingStatements] = field(default_factory=dict)
    _by_service: dict[str, tuple[PolicyStatement, ...]] = field(default_factory=dict)

    @property
    def id(self) -> IdentityId:
        """Id of the identity that this principal was compiled from."""
        return self.identity.id

    @property
    def is_immutable_role(self) -> bool:
        """Return whether it is a role that no principal of its account can edit."""
        return self.linked or is_protected_role(self.id)

    @property
    def is_role(self) -> bool:
        """Return whether the principal is a role, in whose sessions callers act."""
        return is_role(self.identity)

    def needs_no_permission(self, action: str) -> bool | None:
        """Return whether a call needs no permission; None if policies decide."""
        return needs_no_permission(
            action, in_session=self.is_role or self.session is not None
        )

    def collect_known_condition_keys(self, resource: ArnParts) -> ContextKeys:
        """Return the condition keys known of every request it makes on a resource."""
        if len(resource) == 6 and resource[2] == "kms" and self.identity.account:
            caller = ContextKeys({"kms:calleraccount": (self.identity.account,)})
            return caller.merge_over(self.known)
        return self.known

    def select_statements(self, action: str) -> MatchingStatements:
        """Select the principal's statements on an action, by layer; cached."""
        found = self._by_action.get(action)
        if found is None:
            found = self._by_action[action] = self._match_statements_to_action(action)
        return found

    def _select_statements_on_service(self, action: str) -> tuple[PolicyStatement, ...]:
        """Select identity policy statements on an action's service; cached."""
        service = action.partition(":")[0]
        found = self._by_service.get(service)
        if found is None:
            found = self._by_service[service] = tuple(
                g
                for g in self.grants
                if g.clause.services is None or service in g.clause.services
            )
        return found

    def _match_statements_to_action(self, action: str) -> MatchingStatements:
        """Select the statements on an action: allows, denies and limits."""
        mine = [
            g
            for g in self._select_statements_on_service(action)
            if g.clause.matches_action(action)
        ]
        bounds = [g for g in self.boundary or () if g.clause.matches_action(action)]
        levels = [(level, level.select_statements(action)) for level in self.levels]
        denies = [g for g in mine if g.clause.effect is PolicyEffect.DENY]
        denies += [deny for _, spoken in levels for deny in spoken.denies]
        session: LayerAllows | None = None
        if self.session:
            spoken = self.session.select_statements(action)
            session = (self.session, spoken.allows)
            denies += spoken.denies
        denies += [g for g in bounds if g.clause.effect is PolicyEffect.DENY]
        return MatchingStatements(
            tuple(g for g in mine if g.clause.effect is PolicyEffect.ALLOW),
            tuple(g for g in bounds if g.clause.effect is PolicyEffect.ALLOW),
            tuple(denies),
            session,
            tuple((level, spoken.allows) for level, spoken in levels if spoken.binds),
        )

    def list_unread_policies_of_layer(
        self, layer: PolicyLayer
    ) -> tuple[PolicyGap, ...]:
        """List the policies and statements of a layer that were not read."""
        return tuple(gap for gap in self.gaps if gap.layer is layer)

    def with_extra_statements(
        self, extra: str, statements: Sequence[PolicyStatement]
    ) -> "CompiledPrincipal":
        """Return a copy with more statements, and the gained permissions named."""
        return self._copy_with_statements_and_scps(
            (*self.grants, *statements), extra, self.levels
        )

    def with_scp_levels(self, levels: tuple[LimitingLayer, ...]) -> "CompiledPrincipal":
        """Return a copy under other SCPs."""
        return self._copy_with_statements_and_scps(self.grants, self.extra, levels)

    def _copy_with_statements_and_scps(
        self,
        statements: tuple[PolicyStatement, ...],
        extra: str,
        levels: tuple[LimitingLayer, ...],
    ) -> "CompiledPrincipal":
        """Return a copy with other statements and SCPs, quicker than `replace`."""
        return CompiledPrincipal(
            self.identity,
            statements,
            self.boundary,
            self.boundary_id,
            self.gaps,
            self.known,
            groups=self.groups,
            policies=self.policies,
            extra=extra,
            collected=self.collected,
            levels=levels,
            session=self.session,
            linked=self.linked,
        )

    def without_boundary(self) -> "CompiledPrincipal":
        """Return the principal as if it had no permissions boundary."""
        gaps = tuple(gap for gap in self.gaps if gap.layer is not PolicyLayer.BOUNDARY)
        return replace(self, boundary=None, boundary_id="", gaps=gaps, _by_action={})

    def with_session_policy(self, session: LimitingLayer) -> "CompiledPrincipal":
        """Return a copy that acts in a session with a session policy."""
        gaps = (*self.gaps, *session.gaps)
        return replace(self, session=session, gaps=gaps, _by_action={})


FULL_ACCESS_STATEMENT = CompiledStatement(
    number=-1,
    effect=PolicyEffect.ALLOW,
    actions=(ANY_TEXT,),
    not_actions=(),
    resources=("*",),
    not_resources=(),
    conditions=(),
    principals=(),
    not_principals=(),
    static=True,
    parts=(("",),),
    wide=True,
    action_set=build_action_pattern_index((ANY_TEXT,)),
)


def is_role(identity: Identity) -> bool:
    """Return whether an identity is a role, by its kind or its ARN."""
    return "role" in identity.kind or ":role/" in identity.id


def is_customer_managed_policy(policy: str) -> bool:
    """Return whether a policy id is a customer-managed policy's ARN."""
    parts = policy.split(":", 5)
    return len(parts) == 6 and parts[4].isdigit() and "#" not in policy


def is_iam_entity(identity: Identity) -> bool:
    """Return whether an identity is an IAM user or role, which IAM calls can change.

    A profile or permission set named in a file is none, nor is a root user.
    """
    return identity.id.startswith("arn:") and not is_root_user(identity)


def get_aws_partition(identity: str) -> str:
    """Return the AWS partition of an ARN; `aws` for any other id."""
    return identity.split(":")[1] if identity.startswith("arn:") else "aws"


def is_root_user(identity: Identity) -> bool:
    """Return whether an identity is an account's root user."""
    return identity.kind == "aws-root" or identity.id.endswith(":root")


def collect_principal_condition_keys(
    identity: Identity, accounts: Mapping[str, Account], *, tags_fixed: bool
) -> ContextKeys:
    """Collect the condition keys known for a principal.

    Source: AWS IAM User Guide, "AWS global condition context keys", properties of the
    principal.

    Args:
        identity: The identity.
        accounts: Accounts of the snapshot.
        tags_fixed: False when a session may carry tags of its own, which replace those
            of the role: tags decide nothing before the session exists.
    """
    role, root = is_role(identity), is_root_user(identity)
    kind = "AssumedRole" if role else "Account" if root else "User"
    values: dict[str, tuple[str, ...]] = {
        "aws:principalarn": (identity.id,),
        "aws:principaltype": (kind,),
        "aws:principalisawsservice": ("false",),
        "aws:principalservicename": ABSENT_KEY,
        "aws:principalservicenameslist": ABSENT_KEY,
        "aws:username": ABSENT_KEY if role or root else (identity.name,),
    }
    if identity.account:
        values["aws:principalaccount"] = (identity.account,)
    if identity.unique_id and not role:
        values["aws:userid"] = (identity.unique_id,)
    account = accounts.get(identity.account)
    if account and account.organization:
        values["aws:principalorgid"] = (account.organization,)
        if account.parents:
            path = "/".join((account.organization, *account.parents, ""))
            values["aws:principalorgpaths"] = (path,)
    complete: tuple[str, ...] = ()
    if tags_fixed:
        complete = ("aws:principaltag/",)
        values.update(encode_tags_as_condition_keys("aws:principaltag/", identity.tags))
    return ContextKeys(values, complete)


def encode_tags_as_condition_keys(
    prefix: str, tags: Sequence[tuple[str, str]]
) -> dict[str, tuple[str, ...]]:
    """Encode tags as condition keys in lower case."""
    return {prefix + key.lower(): (value,) for key, value in tags}


def are_unconditional_allows(statements: Iterable[PolicyStatement]) -> bool:
    """Return whether all statements are allows without conditions."""
    return all(
        g.clause.static and g.clause.effect is PolicyEffect.ALLOW for g in statements
    )
