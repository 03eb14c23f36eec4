"""Parse the Principal and NotPrincipal elements of policy statements.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

from answerable.reach.collection_coverage import ANY_PLACE

WILDCARD_PRINCIPAL = (
    "answerable:wildcard-principal"  # of a grant to `*` past a boundary
)
CANONICAL_USER = "answerable:canonical-user"  # the account of the id was not collected
ANY_PRINCIPAL = "*"
PrincipalValues = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class PrincipalElement:
    """Values of a Principal or NotPrincipal element, by kind.

    Attributes:
        everyone: `*`.
        accounts: Account numbers, of accounts named as a whole.
        ids: ARNs and unique ids of users and roles.
        sessions: Session names by (account, role name).
        canonical: Canonical user ids.
        services: Service principals.
        providers: Identity providers.
    """

    everyone: bool = False
    accounts: frozenset[str] = frozenset()
    ids: frozenset[str] = frozenset()
    sessions: Mapping[tuple[str, str], tuple[str, ...]] = field(default_factory=dict)
    canonical: tuple[str, ...] = ()
    services: frozenset[str] = frozenset()
    providers: frozenset[str] = frozenset()


NO_PRINCIPALS = PrincipalElement()


@lru_cache(maxsize=1 << 16)
def parse_principal_element(pairs: PrincipalValues) -> PrincipalElement:
    """Parse a Principal element from its pairs (type, value)."""
    if not pairs:
        return NO_PRINCIPALS
    aws = [value for kind, value in pairs if kind == "AWS"]
    sessions: dict[tuple[str, str], tuple[str, ...]] = {}
    for value in aws:
        session = parse_session_arn(value)
        if session:
            key = session[:2]
            sessions[key] = (*sessions.get(key, ()), session[2])
    return PrincipalElement(
        everyone=ANY_PRINCIPAL in aws,
        accounts=frozenset(a for value in aws if (a := get_principal_account(value))),
        ids=frozenset(
            v for v in aws if v != ANY_PRINCIPAL and not get_principal_account(v)
        ),
        sessions=sessions,
        canonical=tuple(value for kind, value in pairs if kind == "CanonicalUser"),
        services=frozenset(value for kind, value in pairs if kind == "Service"),
        providers=frozenset(value for kind, value in pairs if kind == "Federated"),
    )


def get_principal_account(value: str) -> str:
    """Return the account that a principal value names as a whole, or an empty text."""
    if is_account_number(value):
        return value
    parts = value.split(":")
    if len(parts) == 6 and parts[2] == "iam" and parts[5] == "root":
        return parts[4]
    return ""


def is_account_number(text: str) -> bool:
    """Return whether a text is an AWS account number of 12 digits."""
    return len(text) == 12 and text.isascii() and text.isdigit()


def parse_session_arn(value: str) -> tuple[str, str, str] | None:
    """Parse the ARN of a role session: account, role name, session name."""
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts":
        return None
    kind, _, rest = parts[5].partition("/")
    role, _, session = rest.partition("/")
    return (parts[4], role, session) if kind == "assumed-role" else None


def get_arn_account(arn: str) -> str:
    """Return the account of an ARN, or an empty text."""
    return get_account_of_arn_parts(arn.split(":", 5))


def get_account_of_arn_parts(parts: Sequence[str]) -> str:
    """Return the account among the parts of a split ARN, or an empty text."""
    return parts[4] if len(parts) == 6 and is_account_number(parts[4]) else ""


def get_arn_pattern_part(pattern: str, position: int) -> str:
    """Return a part of an ARN pattern; `ANY_PLACE` if it is a wildcard."""
    parts = pattern.split(":", 5)
    if len(parts) < 6 or any(sign in parts[position] for sign in "*?$"):
        return ANY_PLACE
    return parts[position]
