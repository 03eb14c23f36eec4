"""Roles by what their trust names: a service, a principal, or anybody."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import IdentityId
from answerable.reach.estate.naming import account_of
from answerable.reach.verdict.trust import Trust

Pair = tuple[str, IdentityId]


def services_of(trusts: Iterable[Trust]) -> Iterator[Pair]:
    """Pair roles with the services that their trust names."""
    for trust in trusts:
        for grant in trust.grants:
            for kind, value in grant.clause.principals:
                if kind == service_kind(value):
                    yield value, trust.role


# Services that are passed a role and enter it as an identity provider. Source: Amazon
# Cognito Developer Guide, "IAM roles", "Setting up a trust policy".
IDENTITY_PROVIDERS = frozenset(["cognito-identity.amazonaws.com"])


def service_kind(service: str) -> str:
    """Say as which kind of principal a trust names a service that is passed roles."""
    return "Federated" if service in IDENTITY_PROVIDERS else "Service"


def providers_of(trusts: Iterable[Trust]) -> Iterator[Pair]:
    """Pair roles with the identity providers that their trust names."""
    for trust in trusts:
        for grant in trust.grants:
            for kind, value in grant.clause.principals:
                if kind == "Federated" or ":saml-provider/" in value:
                    yield value, trust.role


def named_of(trusts: Iterable[Trust]) -> Iterator[Pair]:
    """Pair roles with what their trust names: an ARN, an account, a session, or `*`.

    Roles whose trust was not collected, or not read whole, stand under `*`.
    """
    for trust in trusts:
        if not trust.collected or trust.gaps:
            yield "*", trust.role
        for grant in trust.grants:
            if grant.clause.not_principals:
                yield "*", trust.role
            for kind, value in grant.clause.principals:
                if kind == "AWS":
                    yield _key(value), trust.role
                elif kind == "CanonicalUser":
                    yield "*", trust.role  # whose account it is is not known


def _key(value: str) -> str:
    """Index an assumed-role session under its account: any role there may be it."""
    parts = value.split(":", 5)
    session = len(parts) == 6 and parts[2] == "sts"
    account = account_of(value)
    if session:
        return f"session {parts[4]}"
    return f"account {account}" if account else value


def indexed(pairs: Iterable[Pair]) -> dict[str, tuple[IdentityId, ...]]:
    """Index roles, each once, in the order in which they come."""
    found: dict[str, dict[IdentityId, None]] = defaultdict(dict)
    for key, role in pairs:
        found[key][role] = None
    return {key: tuple(roles) for key, roles in found.items()}


def exchanged(
    index: Mapping[str, tuple[IdentityId, ...]],
    lost: Iterable[Pair],
    gained: Iterable[Pair],
) -> dict[str, tuple[IdentityId, ...]]:
    """Exchange pairs in an index whose roles stand in order."""
    found = dict(index)
    for key, role in lost:
        found[key] = tuple(one for one in found[key] if one != role)
    for key, role in gained:
        found[key] = tuple(sorted({*found.get(key, ()), role}))
    return {key: roles for key, roles in found.items() if roles}
