"""Index roles by the services, principals and identity providers that they trust."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import IdentityId
from answerable.reach.aws.compiled.principal_element import get_principal_account
from answerable.reach.aws.evaluation.trust_policies import RoleTrust

TrustPair = tuple[str, IdentityId]


def list_trusted_services(trusts: Iterable[RoleTrust]) -> Iterator[TrustPair]:
    """Yield pairs of a service and a role whose trust policy names it."""
    for trust in trusts:
        for grant in trust.grants:
            for kind, value in grant.clause.principals:
                if kind == get_service_principal_kind(value):
                    yield value, trust.role


# Services that are passed a role and enter it as an identity provider. Source: Amazon
# Cognito Developer Guide, "IAM roles", "Setting up a trust policy".
IDENTITY_PROVIDERS = frozenset(["cognito-identity.amazonaws.com"])


def get_service_principal_kind(service: str) -> str:
    """Return the Principal type (Service, Federated) that names a service."""
    return "Federated" if service in IDENTITY_PROVIDERS else "Service"


def list_trusted_identity_providers(trusts: Iterable[RoleTrust]) -> Iterator[TrustPair]:
    """Yield pairs of an identity provider and a role that trusts it."""
    for trust in trusts:
        for grant in trust.grants:
            for kind, value in grant.clause.principals:
                if kind == "Federated" or ":saml-provider/" in value:
                    yield value, trust.role


def list_trusted_principals(trusts: Iterable[RoleTrust]) -> Iterator[TrustPair]:
    """Yield pairs of an AWS principal and a role whose trust policy names it.

    Roles whose trust policy was not collected or not read completely are under `*`.
    """
    for trust in trusts:
        if not trust.collected or trust.gaps:
            yield "*", trust.role
        for grant in trust.grants:
            if grant.clause.not_principals:
                yield "*", trust.role
            for kind, value in grant.clause.principals:
                if kind == "AWS":
                    yield _get_principal_index_key(value), trust.role
                elif kind == "CanonicalUser":
                    yield "*", trust.role  # the account of the user is not known


def _get_principal_index_key(value: str) -> str:
    """Return the index key of a value; a session is indexed under its account."""
    parts = value.split(":", 5)
    session = len(parts) == 6 and parts[2] == "sts"
    account = get_principal_account(value)
    if session:
        return f"session {parts[4]}"
    return f"account {account}" if account else value


def index_roles_by_trusted_key(
    pairs: Iterable[TrustPair],
) -> dict[str, tuple[IdentityId, ...]]:
    """Group roles by key, in order, without duplicates."""
    found: dict[str, dict[IdentityId, None]] = defaultdict(dict)
    for key, role in pairs:
        found[key][role] = None
    return {key: tuple(roles) for key, roles in found.items()}


def update_trusting_role_index(
    index: Mapping[str, tuple[IdentityId, ...]],
    removed: Iterable[TrustPair],
    added: Iterable[TrustPair],
) -> dict[str, tuple[IdentityId, ...]]:
    """Return an index of sorted roles with pairs removed and added."""
    found = dict(index)
    for key, role in removed:
        found[key] = tuple(one for one in found[key] if one != role)
    for key, role in added:
        found[key] = tuple(sorted({*found.get(key, ()), role}))
    return {key: roles for key, roles in found.items() if roles}
