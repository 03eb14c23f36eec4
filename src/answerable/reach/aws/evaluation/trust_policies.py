"""Evaluate role trust policies: list the outside principals that may assume a role.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "Cross-account
policy evaluation logic".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from answerable.model.identity import Account
from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect, PolicyLayer
from answerable.reach.aws.compiled.external_callers import parse_caller
from answerable.reach.aws.compiled.limiting_policies import RcpDenies
from answerable.reach.aws.compiled.principal_element import ANY_PRINCIPAL
from answerable.reach.aws.compiled.resources import RESOURCE_KEY_PREFIXES
from answerable.reach.aws.compiled.statements import (
    PolicyGap,
    PolicyStatement,
    evaluate_statement_on_resource,
    select_statements,
)
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    has_policy_variable,
)
from answerable.reach.aws.evaluation.request import Evaluation, describe_statement
from answerable.reach.aws.patterns.arn_matching import split_arn
from answerable.reach.condition_formula import FALSE, Formula, conjoin, disjoin, negate

ASSUME_ROLE = "sts:assumerole"
ASSUME_ROLE_WITH_WEB_IDENTITY = "sts:assumerolewithwebidentity"
ASSUME_ROLE_WITH_SAML = "sts:assumerolewithsaml"
TAG_SESSION = "sts:tagsession"


@dataclass(eq=False, slots=True)
class RoleTrust:
    """Trust policy of a role.

    Attributes:
        role: Id of the role.
        account: Account of the role.
        grants: Statements.
        gaps: Statements that were not read.
        collected: False if the snapshot holds no trust policy.
        plain: True if all statements are unconditional allows.
        rcps: RCPs of its account, if any.
        seen: Whether one is attached, collected or not.
    """

    role: IdentityId
    account: str
    grants: tuple[PolicyStatement, ...]
    gaps: tuple[PolicyGap, ...]
    collected: bool
    plain: bool = False
    rcps: RcpDenies | None = None
    seen: bool = True
    _by_action: dict[str, tuple[PolicyStatement, ...]] = field(default_factory=dict)

    @property
    def layer(self) -> PolicyLayer:
        """Policy layer, for statements and gaps: that of trust policies."""
        return PolicyLayer.TRUST

    @property
    def policy(self) -> str:
        """Id of the role's trust policy."""
        return f"{self.role}#trust"

    def select_statements(self, action: str) -> tuple[PolicyStatement, ...]:
        """Select the statements that match an action in lower case."""
        return select_statements(self.grants, self._by_action, action)

    @property
    def may_depend_on_role_keys(self) -> bool:
        """Return whether a condition on entering may read a key of the role itself."""
        return self.rcps is not None or any(
            line.key.lower().startswith(RESOURCE_KEY_PREFIXES)
            or any(map(has_policy_variable, line.values))
            for grant in self.grants
            for line in grant.clause.conditions
        )

    @property
    def allows_session_tags(self) -> bool:
        """Return whether the trust policy lets a session carry its own tags."""
        return not self.collected or any(
            grant.clause.effect is PolicyEffect.ALLOW
            and grant.clause.matches_action(TAG_SESSION)
            for grant in self.grants
        )


@dataclass(frozen=True, slots=True)
class TrustEntry:
    """Admission of a principal outside the snapshot to a role.

    Attributes:
        principal: Provider ARN, service, foreign ARN or `*`.
        kind: `Federated`, `Service` or `AWS`.
        action: The call that enters.
        answer: Result of the evaluation.
    """

    principal: str
    kind: str
    action: str
    answer: Evaluation


def list_external_trust_entries(
    trust: RoleTrust, known_keys: ContextKeys, accounts: Mapping[str, Account]
) -> Iterator[TrustEntry]:
    """List the outside principals that a trust policy admits to the role.

    Args:
        trust: The trust policy.
        known_keys: Condition keys known for the call.
        accounts: Accounts of the snapshot, with their organisation.
    """
    for grant in trust.grants:
        if grant.clause.effect is PolicyEffect.ALLOW:
            for kind, value in grant.clause.principals:
                about = _collect_external_caller_keys(kind, value, accounts).merge_over(
                    known_keys
                )
                yield from _list_entries_of_trust_statement(
                    trust, grant, kind, value, about
                )


def _collect_external_caller_keys(
    kind: str, value: str, accounts: Mapping[str, Account]
) -> ContextKeys:
    """Return the condition keys known for an outside caller."""
    caller = None if value == ANY_PRINCIPAL else parse_caller(value, accounts)
    if kind == "Federated":
        return ContextKeys({"aws:federatedprovider": (value,)})
    return caller.known if caller else NO_KEYS


_ENTRY_ACTIONS = {
    "Federated": (
        ("sts:AssumeRoleWithWebIdentity", ASSUME_ROLE_WITH_WEB_IDENTITY),
        ("sts:AssumeRoleWithSAML", ASSUME_ROLE_WITH_SAML),
    ),
    "Service": (("sts:AssumeRole", ASSUME_ROLE),),
    "AWS": (("sts:AssumeRole", ASSUME_ROLE),),
}


def _list_entries_of_trust_statement(
    trust: RoleTrust,
    statement: PolicyStatement,
    kind: str,
    value: str,
    known_keys: ContextKeys,
) -> Iterator[TrustEntry]:
    """List who one trust policy statement allows to assume the role."""
    for spelled, action in _ENTRY_ACTIONS.get(kind, ()):
        if not statement.clause.matches_action(action) or not _can_enter_role_by_action(
            kind, value, action
        ):
            continue
        held = evaluate_block(statement.clause.conditions, known_keys)
        denies = _list_applicable_trust_denies(trust, kind, value, action, known_keys)
        denies += _list_applicable_rcp_denies(trust, action, known_keys)
        unread = (
            [gap.get_open_condition("Denies") for gap in trust.rcps.gaps]
            if trust.rcps
            else []
        )
        denied = disjoin(*(f for _, f in denies), *unread)
        formula = conjoin(held, negate(denied))
        if formula != FALSE:
            said = (
                describe_statement(statement),
                *(describe_statement(g) for g, _ in denies),
            )
            yield TrustEntry(
                value, kind, spelled, Evaluation(formula, said, trust.gaps)
            )


def _list_applicable_rcp_denies(
    trust: RoleTrust, action: str, known_keys: ContextKeys
) -> list[tuple[PolicyStatement, Formula]]:
    """Pair each RCP deny that applies to entering a role with its condition."""
    if trust.rcps is None:
        return []
    role = split_arn(trust.role)
    pairs = (
        (grant, evaluate_statement_on_resource(grant.clause, role, known_keys))
        for grant in trust.rcps.select_denies(action)
    )
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _can_enter_role_by_action(kind: str, value: str, action: str) -> bool:
    """Return whether a principal enters a role by this STS action."""
    if kind != "Federated":
        return True
    return (":saml-provider/" in value) == (action == ASSUME_ROLE_WITH_SAML)


def _list_applicable_trust_denies(
    trust: RoleTrust, kind: str, value: str, action: str, known_keys: ContextKeys
) -> list[tuple[PolicyStatement, Formula]]:
    """Pair each trust policy deny that names a principal with its condition."""
    found = []
    for grant in trust.grants:
        clause = grant.clause
        if clause.effect is PolicyEffect.DENY and clause.matches_action(action):
            everyone = clause.principals and ("AWS", "*") in clause.principals
            excepted = (kind, value) in clause.not_principals
            listed = (kind, value) in clause.principals
            if listed or everyone or (clause.not_principals and not excepted):
                held = evaluate_block(clause.conditions, known_keys)
                if held != FALSE:
                    found.append((grant, held))
    return found
