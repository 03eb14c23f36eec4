"""Trust policies of roles, and the outside principals that they admit.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "Cross-account
policy evaluation logic".
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from answerable.model.identity import Account
from answerable.model.ids import IdentityId
from answerable.model.policy import Effect, Layer
from answerable.reach.aws.compiled.external_callers import caller_of
from answerable.reach.aws.compiled.organization_policies import Fence
from answerable.reach.aws.compiled.principal_element import EVERYONE
from answerable.reach.aws.compiled.statements import Gap, Grant, applies, speaking
from answerable.reach.aws.evaluation.conditions import evaluate
from answerable.reach.aws.evaluation.context_keys import NOTHING, Known
from answerable.reach.aws.evaluation.request import Answer, name
from answerable.reach.aws.patterns.arns import text_parts
from answerable.reach.formula import FALSE, Formula, both, either, negation

ASSUME = "sts:assumerole"
WEB_IDENTITY = "sts:assumerolewithwebidentity"
SAML = "sts:assumerolewithsaml"
TAG_SESSION = "sts:tagsession"


@dataclass(eq=False, slots=True)
class Trust:
    """Trust policy of a role.

    Attributes:
        role: Id of the role.
        account: Account of the role.
        grants: Statements.
        gaps: Statements that were not read.
        collected: False if the snapshot holds no trust policy.
        plain: True if all statements are unconditional allows.
        fence: RCPs of its account, if any.
        seen: Whether one is attached, collected or not.
    """

    role: IdentityId
    account: str
    grants: tuple[Grant, ...]
    gaps: tuple[Gap, ...]
    collected: bool
    plain: bool = False
    fence: Fence | None = None
    seen: bool = True
    _by_action: dict[str, tuple[Grant, ...]] = field(default_factory=dict)

    @property
    def layer(self) -> Layer:
        """Layer of the policy."""
        return Layer.TRUST

    @property
    def policy(self) -> str:
        """Id of the policy."""
        return f"{self.role}#trust"

    def speaking(self, action: str) -> tuple[Grant, ...]:
        """Select the statements that match an action in lower case."""
        return speaking(self.grants, self._by_action, action)

    @property
    def tags_sessions(self) -> bool:
        """Tell whether a session of the role may carry tags of its own."""
        return not self.collected or any(
            grant.clause.effect is Effect.ALLOW
            and grant.clause.takes_action(TAG_SESSION)
            for grant in self.grants
        )


@dataclass(frozen=True, slots=True)
class Entry:
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
    answer: Answer


def entries(
    trust: Trust, known: Known, accounts: Mapping[str, Account]
) -> Iterator[Entry]:
    """List the principals outside the snapshot that may enter a role.

    Args:
        trust: The trust policy.
        known: Condition keys known for the call.
        accounts: Accounts of the snapshot, with their organisation.
    """
    for grant in trust.grants:
        if grant.clause.effect is Effect.ALLOW:
            for kind, value in grant.clause.principals:
                about = _about(kind, value, accounts).over(known)
                yield from _entries(trust, grant, kind, value, about)


def _about(kind: str, value: str, accounts: Mapping[str, Account]) -> Known:
    """Collect the known keys of a caller; `*` is anyone who has an account."""
    caller = None if value == EVERYONE else caller_of(value, accounts)
    if kind == "Federated":
        return Known({"aws:federatedprovider": (value,)})
    return caller.known if caller else NOTHING


_CALLS = {
    "Federated": (
        ("sts:AssumeRoleWithWebIdentity", WEB_IDENTITY),
        ("sts:AssumeRoleWithSAML", SAML),
    ),
    "Service": (("sts:AssumeRole", ASSUME),),
    "AWS": (("sts:AssumeRole", ASSUME),),
}


def _entries(
    trust: Trust, grant: Grant, kind: str, value: str, about: Known
) -> Iterator[Entry]:
    for spelled, action in _CALLS.get(kind, ()):
        if not grant.clause.takes_action(action) or not _fits(kind, value, action):
            continue
        held = evaluate(grant.clause.conditions, about)
        denies = _denies(trust, kind, value, action, about)
        denies += _fenced(trust, action, about)
        unread = [gap.may("Denies") for gap in trust.fence.gaps] if trust.fence else []
        denied = either(*(f for _, f in denies), *unread)
        formula = both(held, negation(denied))
        if formula != FALSE:
            said = (name(grant), *(name(g) for g, _ in denies))
            yield Entry(value, kind, spelled, Answer(formula, said, trust.gaps))


def _fenced(trust: Trust, action: str, known: Known) -> list[tuple[Grant, Formula]]:
    """Collect the RCP denies that apply to a caller."""
    if trust.fence is None:
        return []
    role = text_parts(trust.role)
    pairs = (
        (grant, applies(grant.clause, role, known))
        for grant in trust.fence.speaking(action)
    )
    return [(grant, formula) for grant, formula in pairs if formula != FALSE]


def _fits(kind: str, value: str, action: str) -> bool:
    if kind != "Federated":
        return True
    return (":saml-provider/" in value) == (action == SAML)


def _denies(
    trust: Trust, kind: str, value: str, action: str, known: Known
) -> list[tuple[Grant, Formula]]:
    found = []
    for grant in trust.grants:
        clause = grant.clause
        if clause.effect is Effect.DENY and clause.takes_action(action):
            everyone = clause.principals and ("AWS", "*") in clause.principals
            excepted = (kind, value) in clause.not_principals
            listed = (kind, value) in clause.principals
            if listed or everyone or (clause.not_principals and not excepted):
                held = evaluate(clause.conditions, known)
                if held != FALSE:
                    found.append((grant, held))
    return found
