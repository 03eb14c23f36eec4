"""Callers of a request, and the match of Principal elements against them.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal" and "NotPrincipal".
"""

from dataclasses import dataclass

from answerable.model.identity import Identity
from answerable.model.policy import PolicyEffect, Statement
from tests.reference.reach.facts import PlacedPolicy, is_role, is_root
from tests.reference.reach.statements import Call, applies, find_key, unread_may

HOWS = ("escaping", "direct", "account")
"""Ways to be named: a user or a session, whose grants no limit of its own cuts; a role
or everybody; and the account, which leaves the choice to its own policies."""
PASSING = "passing"
"""A grant to everybody that no boundary and no session policy of anybody limits."""


@dataclass(frozen=True)
class AnonymousCaller:
    """Caller that did not sign the request."""


@dataclass(frozen=True)
class ServiceCaller:
    """An AWS service that acts as itself, e.g. `lambda.amazonaws.com`."""

    name: str


@dataclass(frozen=True)
class ForeignCaller:
    """A principal of an account that was not collected: an ARN, or an account."""

    arn: str
    account: str


Caller = Identity | AnonymousCaller | ServiceCaller | ForeignCaller


def allow_names_caller(
    here: PlacedPolicy, caller: Caller, how: str, call: Call
) -> bool:
    """Return whether an Allow of a resource's own policy names the caller so."""
    said = (
        applies(s, call) and _allow_names_caller(s, caller, how, call)
        for s in here.statements
        if s.effect is PolicyEffect.ALLOW
    )
    return any(said) or (how == "direct" and unread_may(here, "Allows", call))


_NAMING = {
    "arnequals",
    "arnlike",
    "stringequals",
    "stringequalsignorecase",
    "stringlike",
}


def _allow_names_caller(
    statement: Statement, caller: Caller, how: str, call: Call
) -> bool:
    if how == PASSING:
        return _bypasses_implicit_deny(statement, call)
    return statement_names_caller(statement, caller, how, call)


def _bypasses_implicit_deny(statement: Statement, call: Call) -> bool:
    """Return whether a grant to all principals is free of the caller's implicit denies.

    "Permissions boundaries or session policies do not limit permissions granted using
    the `aws:PrincipalArn` condition key with a wildcard(*) in the `CompiledPrincipal` element"
    (IAM User Guide, "Principal", section "IAM role principals"). Of a wildcard without
    that key the pages say only that "no other permissions are required" (section "All
    principals"): whether a boundary limits it stays a question.
    """
    if ("AWS", "*") not in statement.principals:
        return False
    for clause in statement.conditions:
        naming = clause.operator.lower().removesuffix("ifexists") in _NAMING
        if naming and clause.key.lower() == "aws:principalarn":
            return True
    return call.now.holds("answerable:wildcard-principal", "Escapes", ["*"])


def deny_names_caller(
    here: PlacedPolicy, caller: Caller, bounded: bool, call: Call
) -> bool:
    """Return whether a Deny of a resource's own policy speaks of the caller.

    Args:
        here: The policy.
        caller: Whoever it is.
        bounded: Whether a permissions boundary limits them.
        call: The request.
    """
    said = (
        applies(s, call) and _deny_names_caller(s, caller, bounded, call)
        for s in here.statements
        if s.effect is PolicyEffect.DENY
    )
    return any(said) or unread_may(here, "Denies", call)


def _deny_names_caller(
    statement: Statement, caller: Caller, bounded: bool, call: Call
) -> bool:
    """Principal denies whom it names; NotPrincipal all but those it lists.

    A NotPrincipal with Deny "will always deny any IAM principal that has a permissions
    boundary policy attached"; an account in its list spares nobody but the account's
    root ("NotPrincipal", key points and example).
    """
    if not statement.not_principals:
        return any(statement_names_caller(statement, caller, how, call) for how in HOWS)
    if bounded:
        return True
    listed = statement.not_principals
    return not any(_is_excepted(kind, value, caller, call) for kind, value in listed)


def _is_excepted(kind: str, value: str, caller: Caller, call: Call) -> bool:
    account = (
        "" if isinstance(caller, AnonymousCaller | ServiceCaller) else caller.account
    )
    of_account = kind == "AWS" and value in (account, f"arn:aws:iam::{account}:root")
    if account and of_account:
        return _is_account(caller)
    return any(_names_principal((kind, value), caller, how, call) for how in HOWS)


def _is_account(caller: Caller) -> bool:
    if isinstance(caller, Identity):
        return is_root(caller)
    return isinstance(caller, ForeignCaller) and "/" not in caller.arn


def statement_names_caller(
    statement: Statement, caller: Caller, how: str, call: Call
) -> bool:
    """Return whether a statement names the caller in one way.

    NotPrincipal names everybody but those it lists.
    """
    if statement.not_principals:
        if how != "direct":
            return False
        listed = statement.not_principals
        return not any(
            _names_principal(p, caller, h, call) for p in listed for h in HOWS
        )
    return any(_names_principal(p, caller, how, call) for p in statement.principals)


def _names_principal(
    principal: tuple[str, str], caller: Caller, how: str, call: Call
) -> bool:
    kind, value = principal
    if kind == "AWS" and value == "*":
        return how == "direct"
    if isinstance(caller, AnonymousCaller):
        return False
    if isinstance(caller, ServiceCaller):
        return how == "direct" and principal == ("Service", caller.name)
    if kind == "CanonicalUser":
        # An account by a number of its own, which nobody collected.
        known = how == "account"
        return known and call.now.holds("answerable:canonical-user", "Equals", [value])
    if kind != "AWS":
        return False
    if isinstance(caller, ForeignCaller):
        return _names_foreign(value, caller, how, call)
    if value in (caller.account, f"arn:aws:iam::{caller.account}:root"):
        return how == "account"
    if value in (caller.id, caller.unique_id):
        return how == ("direct" if is_role(caller) else "escaping")
    if how != "escaping":
        return False
    return is_role(caller) and _names_session(value, caller.account, caller.name, call)


def _names_session(value: str, account: str, role: str, call: Call) -> bool:
    """Return whether a value names the session that a role acts in.

    Its name is open unless the question states `sts:RoleSessionName`, "the session name
    that a principal specifies when assuming a role" (IAM User Guide, "IAM and AWS STS
    condition context keys"). In a call that assumes a role that may be the name of the
    session to come: another name says nothing of the session that calls.
    """
    prefix = f"arn:aws:sts::{account}:assumed-role/{role}/"
    name = value.removeprefix(prefix)
    if name == value:
        return False
    stated = find_key(call.keys, "sts:RoleSessionName")
    if stated == (name,):
        return True
    if stated is not None and not _starts_session(call.action):
        return False
    return call.now.holds("sts:RoleSessionName", "StringEquals", [name])


def _starts_session(action: str) -> bool:
    """Return whether a call asks a role's trust for a new session."""
    return action.lower() in ("sts:assumerole", "sts:tagsession")


def _names_foreign(value: str, caller: ForeignCaller, how: str, call: Call) -> bool:
    if value in (caller.account, f"arn:aws:iam::{caller.account}:root"):
        return how == "account"
    _, _, place = caller.arn.rpartition(":")
    kind, _, rest = place.partition("/")
    if value == caller.arn:
        return how == ("direct" if kind == "role" else "escaping")
    role = rest.partition("/")[0] if kind == "assumed-role" else ""
    if role and value.startswith(f"arn:aws:iam::{caller.account}:role/"):
        return how == "direct" and value.rpartition("/")[2] == role
    if kind != "role" or how != "escaping":
        return False
    return _names_session(value, caller.account, rest.rpartition("/")[2], call)
