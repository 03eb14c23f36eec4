"""A role's trust policy: what it says to a principal, and who may enter from outside.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "Cross-account
policy evaluation logic".
"""

from collections.abc import Iterator
from dataclasses import dataclass

from answerable.model.ids import IdentityId
from answerable.model.policy import Effect
from answerable.reach.clauses import Clause, Gap, Grant
from answerable.reach.conditions import evaluate
from answerable.reach.context import Known
from answerable.reach.evaluate import Answer, Determining, Request, Side, name
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both, either, negation
from answerable.reach.principals import Principal

ASSUME = "sts:assumerole"
WEB_IDENTITY = "sts:assumerolewithwebidentity"
SAML = "sts:assumerolewithsaml"
TAG_SESSION = "sts:tagsession"


@dataclass(frozen=True, slots=True)
class Trust:
    """The trust policy of a role.

    Attributes:
        role: The role.
        account: Its account.
        grants: Its statements.
        gaps: What could not be read.
        collected: False when there is no trust policy in the snapshot.
        plain: True when it holds allows without conditions and nothing else.
    """

    role: IdentityId
    account: str
    grants: tuple[Grant, ...]
    gaps: tuple[Gap, ...]
    collected: bool
    plain: bool = False

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
    """A way into a role for someone who is no principal of the snapshot.

    Attributes:
        principal: Provider ARN, service, foreign ARN or `*`.
        kind: `Federated`, `Service` or `AWS`.
        action: The call that enters.
        answer: When.
    """

    principal: str
    kind: str
    action: str
    answer: Answer


def side_of(trust: Trust, principal: Principal, call: Request) -> Side:
    """Say what a role's trust policy says to a principal."""
    known = call.known.over(principal.known)
    escaping = direct = account = denied = FALSE
    said: list[Determining] = []
    for grant in trust.grants:
        clause = grant.clause
        if not clause.takes_action(call.action):
            continue
        named = names(clause, principal)
        if not named:
            continue
        held = evaluate(clause.conditions, known)
        if held == FALSE:
            continue
        said.append(name(grant))
        for how, formula in named:
            when = both(held, formula)
            if clause.effect is Effect.DENY:
                denied = either(denied, when)
            elif how == "escaping":
                escaping = either(escaping, when)
            elif how == "direct":
                direct = either(direct, when)
            else:
                account = either(account, when)
    for gap in trust.gaps:
        direct = either(direct, gap.may("Allows"))
    return Side(
        escaping=escaping,
        direct=direct,
        account=account,
        denied=denied,
        same_account=same_account(trust, principal),
        determining=tuple(said),
        gaps=trust.gaps,
        policy=f"{trust.role}#trust",
    )


def same_account(trust: Trust, principal: Principal) -> bool:
    """Tell whether a role and a principal share an account."""
    return trust.account == principal.identity.account


def names(clause: Clause, principal: Principal) -> list[tuple[str, Formula]]:
    """Say how a clause names a principal: `escaping`, `direct` or `account`."""
    if clause.not_principals:
        listed = [v for kind, v in clause.not_principals if kind == "AWS"]
        if any(_names(value, principal) for value in listed):
            return []
        return [("direct", TRUE)]
    found = (
        _names(value, principal) for kind, value in clause.principals if kind == "AWS"
    )
    return [item for item in found if item is not None]


def _names(value: str, principal: Principal) -> tuple[str, Formula] | None:
    identity = principal.identity
    if value == "*":
        return "direct", TRUE
    if account_of(value) == identity.account and identity.account:
        return "account", TRUE
    if value in (identity.id, identity.unique_id) and value:
        return ("direct" if principal.is_role else "escaping"), TRUE
    role, session = _session(value)
    if role and principal.is_role and role == (identity.account, identity.name):
        when = atom("sts:RoleSessionName", "StringEquals", (session,))
        return "escaping", when
    return None


def account_of(value: str) -> str:
    """Return the account a trust names as a whole, or an empty text."""
    if len(value) == 12 and value.isascii() and value.isdigit():
        return value
    parts = value.split(":")
    if len(parts) == 6 and parts[2] == "iam" and parts[5] == "root":
        return parts[4]
    return ""


def _session(value: str) -> tuple[tuple[str, str] | None, str]:
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts":
        return None, ""
    kind, _, rest = parts[5].partition("/")
    role, _, session = rest.partition("/")
    return ((parts[4], role), session) if kind == "assumed-role" else (None, "")


def entries(trust: Trust, known: Known) -> Iterator[Entry]:
    """List who may enter a role from outside the snapshot's principals.

    Args:
        trust: The trust policy.
        known: Condition keys known of the call.
    """
    for grant in trust.grants:
        if grant.clause.effect is Effect.ALLOW:
            for kind, value in grant.clause.principals:
                yield from _entries(trust, grant, kind, value, known)


_CALLS = {
    "Federated": (
        ("sts:AssumeRoleWithWebIdentity", WEB_IDENTITY),
        ("sts:AssumeRoleWithSAML", SAML),
    ),
    "Service": (("sts:AssumeRole", ASSUME),),
    "AWS": (("sts:AssumeRole", ASSUME),),
}


def _entries(
    trust: Trust, grant: Grant, kind: str, value: str, known: Known
) -> Iterator[Entry]:
    about = known
    if kind == "Federated":
        about = Known({"aws:federatedprovider": (value,)}).over(known)
    elif kind == "Service":
        about = Known({"aws:principalservicename": (value,)}).over(known)
    for spelled, action in _CALLS.get(kind, ()):
        if not grant.clause.takes_action(action) or not _fits(kind, value, action):
            continue
        held = evaluate(grant.clause.conditions, about)
        denies = _denies(trust, kind, value, action, about)
        formula = both(held, negation(either(*(f for _, f in denies))))
        if formula != FALSE:
            said = (name(grant), *(name(g) for g, _ in denies))
            yield Entry(value, kind, spelled, Answer(formula, said, trust.gaps))


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
