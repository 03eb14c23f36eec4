"""Parsed Principal and NotPrincipal elements.

Source: AWS IAM User Guide, "AWS JSON policy elements: Principal".
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache

WILDCARD = "answerable:wildcard-principal"  # of a grant to `*` past a boundary
CANONICAL = "answerable:canonical-user"  # the account of the id was not collected
EVERYONE = "*"
Named = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class Naming:
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


NOBODY = Naming()


@lru_cache(maxsize=1 << 16)
def read_naming(named: Named) -> Naming:
    """Parse the pairs (type, value) of an element."""
    if not named:
        return NOBODY
    aws = [value for kind, value in named if kind == "AWS"]
    sessions: dict[tuple[str, str], tuple[str, ...]] = {}
    for value in aws:
        session = session_of(value)
        if session:
            key = session[:2]
            sessions[key] = (*sessions.get(key, ()), session[2])
    return Naming(
        everyone=EVERYONE in aws,
        accounts=frozenset(a for value in aws if (a := account_of(value))),
        ids=frozenset(v for v in aws if v != EVERYONE and not account_of(v)),
        sessions=sessions,
        canonical=tuple(value for kind, value in named if kind == "CanonicalUser"),
        services=frozenset(value for kind, value in named if kind == "Service"),
        providers=frozenset(value for kind, value in named if kind == "Federated"),
    )


def account_of(value: str) -> str:
    """Return the account that a value names as a whole, or an empty text."""
    if is_account(value):
        return value
    parts = value.split(":")
    if len(parts) == 6 and parts[2] == "iam" and parts[5] == "root":
        return parts[4]
    return ""


def is_account(text: str) -> bool:
    """Tell whether a text is an account number."""
    return len(text) == 12 and text.isascii() and text.isdigit()


def session_of(value: str) -> tuple[str, str, str] | None:
    """Parse the ARN of a role session: account, role name, session name."""
    parts = value.split(":", 5)
    if len(parts) != 6 or parts[2] != "sts":
        return None
    kind, _, rest = parts[5].partition("/")
    role, _, session = rest.partition("/")
    return (parts[4], role, session) if kind == "assumed-role" else None


def owner_in(arn: str) -> str:
    """Return the account of an ARN, or an empty text."""
    return owner_among(arn.split(":", 5))


def owner_among(parts: Sequence[str]) -> str:
    """Return the account among the parts of an ARN, or an empty text."""
    return parts[4] if len(parts) == 6 and is_account(parts[4]) else ""
