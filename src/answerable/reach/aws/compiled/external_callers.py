"""Callers outside the snapshot: anonymous, services, providers, other accounts.

Their identity policies are not available: resource policies alone decide.
Source: AWS IAM User Guide, "AWS global condition context keys", properties of the
principal, and "AWS JSON policy elements: Principal".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.identity import Account
from answerable.model.policy import Effect
from answerable.reach.aws.compiled.principal_element import (
    CANONICAL,
    EVERYONE,
    Naming,
    account_of,
    is_account,
    session_of,
)
from answerable.reach.aws.compiled.principal_matching import Names, left_over
from answerable.reach.aws.compiled.statements import Clause
from answerable.reach.aws.evaluation.context_keys import ABSENT, Known
from answerable.reach.aws.patterns.arns import Parts
from answerable.reach.formula import TRUE, atom


class CallerKind(StrEnum):
    """Kind of a caller outside the snapshot."""

    ANONYMOUS = "anonymous"
    SERVICE = "service"
    PROVIDER = "provider"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class Caller:
    """Caller outside the snapshot.

    Attributes:
        id: `*`, a service principal, a provider's ARN, or a principal's ARN or account.
        kind: Kind of caller.
        account: Its account, empty where it has none.
        known: Condition keys known for every request it makes.
    """

    id: str
    kind: CallerKind
    account: str
    known: Known

    def knows(self, resource: Parts) -> Known:
        """Return the condition keys known for every request it makes on a resource."""
        if len(resource) == 6 and resource[2] == "kms" and self.account:
            caller = Known({"kms:calleraccount": (self.account,)})
            return caller.over(self.known)
        return self.known


ANYONE = ("*", "anonymous")


def caller_of(text: str, accounts: Mapping[str, Account]) -> Caller | None:
    """Parse a caller; None where the text names none.

    Args:
        text: `*` or `anonymous`, `lambda.amazonaws.com`, a provider's ARN, an account
            number, or the ARN of a root, user, role or session.
        accounts: Accounts of the snapshot, with their organisation.
    """
    if text in ANYONE:
        return Caller(EVERYONE, CallerKind.ANONYMOUS, "", _ANONYMOUS)
    if _is_service(text):
        return Caller(text, CallerKind.SERVICE, "", _service(text))
    if ":oidc-provider/" in text or ":saml-provider/" in text:
        known = Known({"aws:federatedprovider": (text,), **_NO_SERVICE})
        return Caller(text, CallerKind.PROVIDER, "", known)
    account = account_of(text) or _account(text)
    if not account:
        return None
    return Caller(text, CallerKind.FOREIGN, account, _foreign(text, account, accounts))


def _is_service(text: str) -> bool:
    return not text.startswith("arn:") and text.endswith(
        (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal")
    )


_NAMED = ("user", "role", "assumed-role", "federated-user")


def _account(text: str) -> str:
    parts = text.split(":", 5)
    if len(parts) != 6 or parts[2] not in ("iam", "sts") or not is_account(parts[4]):
        return ""
    return parts[4] if parts[5].partition("/")[0] in _NAMED else ""


_NO_SERVICE: dict[str, tuple[str, ...]] = {
    "aws:principalisawsservice": ("false",),
    "aws:principalservicename": ABSENT,
    "aws:principalservicenameslist": ABSENT,
}
_NO_PRINCIPAL: dict[str, tuple[str, ...]] = dict.fromkeys(
    (
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:username",
    ),
    ABSENT,
)
_ANONYMOUS = Known(
    {
        **_NO_PRINCIPAL,
        **_NO_SERVICE,
        # "Anonymous requests do not include this key."
        "aws:principalisawsservice": ABSENT,
        "aws:principaltype": ("Anonymous",),
        "aws:userid": ("anonymous",),
    },
    ("aws:principaltag/",),
)


def _service(name: str) -> Known:
    values = {
        **_NO_PRINCIPAL,
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (name,),
    }
    return Known(values, ("aws:principaltag/",))


def _foreign(text: str, account: str, accounts: Mapping[str, Account]) -> Known:
    values = {**_NO_SERVICE, "aws:principalaccount": (account,)}
    if ":user/" in text:
        values["aws:principalarn"] = (text,)
        values["aws:principaltype"] = ("User",)
        values["aws:username"] = (text.rpartition("/")[2],)
    elif ":role/" in text:
        values["aws:principalarn"] = (text,)
        values["aws:principaltype"] = ("AssumedRole",)
        values["aws:username"] = ABSENT
    held = accounts.get(account)
    if held and held.organization:
        values["aws:principalorgid"] = (held.organization,)
        if held.parents:
            path = "/".join((held.organization, *held.parents, ""))
            values["aws:principalorgpaths"] = (path,)
    return Known(values)


def named(clause: Clause, caller: Caller) -> Names:
    """Match a statement's principals, as for an identity."""
    found = _named(clause.naming, caller)
    if not clause.not_principals:
        return found
    root = caller.kind is CallerKind.FOREIGN and bool(account_of(caller.id))
    return left_over(found, whole=root or clause.effect is Effect.ALLOW)


def _named(naming: Naming, caller: Caller) -> Names:
    found: Names = [("direct", TRUE)] if naming.everyone else []
    match caller.kind:
        case CallerKind.SERVICE if caller.id in naming.services:
            found.append(("direct", TRUE))
        case CallerKind.PROVIDER if caller.id in naming.providers:
            found.append(("direct", TRUE))
        case CallerKind.FOREIGN:
            found += _foreign_named(naming, caller)
        case _:
            pass
    return found


def _foreign_named(naming: Naming, caller: Caller) -> Names:
    found: Names = []
    if caller.account in naming.accounts:
        found.append(("account", TRUE))
    session = session_of(caller.id)
    role = f":{caller.account}:role/"
    if caller.id in naming.ids:
        found.append(("direct" if ":role/" in caller.id else "escaping", TRUE))
    elif session and any(role in i and _is(i, session[1]) for i in naming.ids):
        found.append(("direct", TRUE))
    if ":role/" in caller.id:
        name = caller.id.rpartition("/")[2]
        for text in naming.sessions.get((caller.account, name), ()):
            found.append(
                ("escaping", atom("sts:RoleSessionName", "StringEquals", (text,)))
            )
    for user in naming.canonical:
        found.append(("account", atom(CANONICAL, "Equals", (user,))))
    return found


def _is(arn: str, role: str) -> bool:
    return arn.rpartition("/")[2] == role
