"""Parse and match callers outside the snapshot: anonymous, services, other accounts.

Their identity policies are not available: resource policies alone decide.
Source: AWS IAM User Guide, "AWS global condition context keys", properties of the
principal, and "AWS JSON policy elements: Principal".
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.identity import Account
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.compiled.principal_element import (
    ANY_PRINCIPAL,
    CANONICAL_USER,
    PrincipalElement,
    get_principal_account,
    is_account_number,
    parse_session_arn,
)
from answerable.reach.aws.compiled.principal_matching import (
    SESSION_NAME,
    NamingFormulas,
    match_role_sessions,
    negate_excepted_principals,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.context_keys import (
    ABSENT_KEY,
    NO_KEYS,
    ContextKeys,
)
from answerable.reach.aws.patterns.arn_matching import ArnParts
from answerable.reach.condition_formula import TRUE, build_atom


class ExternalCallerKind(StrEnum):
    """Kind of a caller outside the snapshot."""

    ANONYMOUS = "anonymous"
    SERVICE = "service"
    PROVIDER = "provider"
    FOREIGN = "foreign"


@dataclass(frozen=True, slots=True)
class ExternalCaller:
    """Caller outside the snapshot.

    Attributes:
        id: `*`, a service principal, a provider's ARN, or a principal's ARN or account.
        kind: Kind of caller.
        account: Its account, empty where it has none.
        known: Condition keys known for every request it makes.
    """

    id: str
    kind: ExternalCallerKind
    account: str
    known: ContextKeys

    def collect_known_condition_keys(self, resource: ArnParts) -> ContextKeys:
        """Return the condition keys known for every request it makes on a resource."""
        if len(resource) == 6 and resource[2] == "kms" and self.account:
            caller = ContextKeys({"kms:calleraccount": (self.account,)})
            return caller.merge_over(self.known)
        return self.known


ANYONE = ("*", "anonymous")


def parse_caller(text: str, accounts: Mapping[str, Account]) -> ExternalCaller | None:
    """Parse a caller; None where the text names none.

    Args:
        text: `*` or `anonymous`, `lambda.amazonaws.com`, a provider's ARN, an account
            number, or the ARN of a root, user, role or session.
        accounts: Accounts of the snapshot, with their organisation.
    """
    if text in ANYONE:
        return ExternalCaller(
            ANY_PRINCIPAL, ExternalCallerKind.ANONYMOUS, "", _ANONYMOUS
        )
    if _is_service_principal(text):
        return ExternalCaller(
            text, ExternalCallerKind.SERVICE, "", _build_service_condition_keys(text)
        )
    if ":oidc-provider/" in text or ":saml-provider/" in text:
        known = ContextKeys({"aws:federatedprovider": (text,), **_NO_SERVICE})
        return ExternalCaller(text, ExternalCallerKind.PROVIDER, "", known)
    account = get_principal_account(text) or _get_principal_account(text)
    if not account:
        return None
    return ExternalCaller(
        text,
        ExternalCallerKind.FOREIGN,
        account,
        _build_foreign_principal_keys(text, account, accounts),
    )


def _is_service_principal(text: str) -> bool:
    """Return whether a text is an AWS service principal."""
    return not text.startswith("arn:") and text.endswith(
        (".amazonaws.com", ".amazonaws.com.cn", ".amazon.com", ".aws.internal")
    )


_PRINCIPAL_TYPES = ("user", "role", "assumed-role", "federated-user")


def _get_principal_account(text: str) -> str:
    """Return the account of an IAM or STS principal's ARN, or an empty text."""
    parts = text.split(":", 5)
    if (
        len(parts) != 6
        or parts[2] not in ("iam", "sts")
        or not is_account_number(parts[4])
    ):
        return ""
    return parts[4] if parts[5].partition("/")[0] in _PRINCIPAL_TYPES else ""


_NO_SERVICE: dict[str, tuple[str, ...]] = {
    "aws:principalisawsservice": ("false",),
    "aws:principalservicename": ABSENT_KEY,
    "aws:principalservicenameslist": ABSENT_KEY,
}
_NO_PRINCIPAL: dict[str, tuple[str, ...]] = dict.fromkeys(
    (
        "aws:principalarn",
        "aws:principalaccount",
        "aws:principalorgid",
        "aws:principalorgpaths",
        "aws:username",
    ),
    ABSENT_KEY,
)
_ANONYMOUS = ContextKeys(
    {
        **_NO_PRINCIPAL,
        **_NO_SERVICE,
        # "Anonymous requests do not include this key."
        "aws:principalisawsservice": ABSENT_KEY,
        "aws:principaltype": ("Anonymous",),
        "aws:userid": ("anonymous",),
    },
    ("aws:principaltag/",),
)


def _build_service_condition_keys(name: str) -> ContextKeys:
    """Build the condition keys known for every call of an AWS service."""
    values = {
        **_NO_PRINCIPAL,
        "aws:principalisawsservice": ("true",),
        "aws:principalservicename": (name,),
    }
    return ContextKeys(values, ("aws:principaltag/",))


def _build_foreign_principal_keys(
    text: str, account: str, accounts: Mapping[str, Account]
) -> ContextKeys:
    """Build the condition keys known for a principal of another account."""
    values = {**_NO_SERVICE, "aws:principalaccount": (account,)}
    if ":user/" in text:
        values["aws:principalarn"] = (text,)
        values["aws:principaltype"] = ("User",)
        values["aws:username"] = (text.rpartition("/")[2],)
    elif ":role/" in text:
        values["aws:principalarn"] = (text,)
        values["aws:principaltype"] = ("AssumedRole",)
        values["aws:username"] = ABSENT_KEY
    held = accounts.get(account)
    if held and held.organization:
        values["aws:principalorgid"] = (held.organization,)
        if held.parents:
            path = "/".join((held.organization, *held.parents, ""))
            values["aws:principalorgpaths"] = (path,)
    return ContextKeys(values)


def match_principal_to_external_caller(
    statement: CompiledStatement,
    caller: ExternalCaller,
    known_keys: ContextKeys = NO_KEYS,
    *,
    starts_session: bool = False,
) -> NamingFormulas:
    """Match a statement's Principal element against an outside caller.

    Args:
        statement: The statement.
        caller: The caller.
        known_keys: Known keys of the request; a stated session name decides.
        starts_session: As in `principal_matching.match_principal`.
    """
    found = _match_principal_element(
        statement.naming,
        caller,
        known_keys.get_key_values(SESSION_NAME),
        starts_session=starts_session,
    )
    if not statement.not_principals:
        return found
    root = caller.kind is ExternalCallerKind.FOREIGN and bool(
        get_principal_account(caller.id)
    )
    return negate_excepted_principals(
        found, includes_account=root or statement.effect is PolicyEffect.ALLOW
    )


def _match_principal_element(
    element: PrincipalElement,
    caller: ExternalCaller,
    session_names: tuple[str, ...] | None,
    *,
    starts_session: bool,
) -> NamingFormulas:
    """Match the values of a Principal element against an outside caller."""
    found: NamingFormulas = [("direct", TRUE)] if element.everyone else []
    match caller.kind:
        case ExternalCallerKind.SERVICE if caller.id in element.services:
            found.append(("direct", TRUE))
        case ExternalCallerKind.PROVIDER if caller.id in element.providers:
            found.append(("direct", TRUE))
        case ExternalCallerKind.FOREIGN:
            found += _match_foreign_principal(element, caller)
            if ":role/" in caller.id:
                name = caller.id.rpartition("/")[2]
                found += match_role_sessions(
                    element.sessions.get((caller.account, name), ()),
                    session_names,
                    starts_session=starts_session,
                )
        case _:
            pass
    return found


def _match_foreign_principal(
    element: PrincipalElement, caller: ExternalCaller
) -> NamingFormulas:
    """Match a Principal element against a principal of another account."""
    found: NamingFormulas = []
    if caller.account in element.accounts:
        found.append(("account", TRUE))
    session = parse_session_arn(caller.id)
    role = f":{caller.account}:role/"
    if caller.id in element.ids:
        found.append(("direct" if ":role/" in caller.id else "escaping", TRUE))
    elif session and any(
        role in i and _has_role_name(i, session[1]) for i in element.ids
    ):
        found.append(("direct", TRUE))
    for user in element.canonical:
        found.append(("account", build_atom(CANONICAL_USER, "Equals", (user,))))
    return found


def _has_role_name(arn: str, role: str) -> bool:
    """Return whether an ARN is that of a role with this name."""
    return arn.rpartition("/")[2] == role
