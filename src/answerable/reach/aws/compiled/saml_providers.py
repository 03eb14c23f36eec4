"""Pair SAML providers with the roles that trust them, as targets of a takeover.

A caller that replaces a provider's metadata can sign assertions for its roles.
Source: AWS IAM API Reference, "UpdateSAMLProvider"; IAM User Guide, "Create a SAML
identity provider in IAM".
"""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.policy import PolicyEffect
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.principal_element import get_arn_account
from answerable.reach.aws.evaluation.trust_policies import (
    ASSUME_ROLE_WITH_SAML,
    RoleTrust,
)

SAML_PROVIDER = "iam:saml-provider"
_NO_SIGHTING = FactProvenance("", "", WrittenBy.PLATFORM, 0)
_MARK, _KIND = "#", ":saml-provider/"


def pair_saml_providers_with_roles(
    by_provider: Mapping[str, Iterable[IdentityId]],
    trusts: Mapping[IdentityId, RoleTrust],
) -> dict[ResourceId, Resource]:
    """Pair each SAML provider with the roles of its account that trust it.

    Args:
        by_provider: Roles by the identity providers that their trust policies name.
        trusts: Trust policies by role.
    """
    found: dict[ResourceId, Resource] = {}
    for provider, roles in by_provider.items():
        for role in roles if _KIND in provider else ():
            if provider in list_trusted_saml_providers(trusts[role]):
                pair = _build_saml_takeover_target(provider, trusts[role])
                found[pair.id] = pair
    return found


def pair_role_with_saml_providers(trust: RoleTrust) -> Iterator[Resource]:
    """Pair one role with each SAML provider of its account that it trusts."""
    for provider in sorted(list_trusted_saml_providers(trust)):
        yield _build_saml_takeover_target(provider, trust)


def list_trusted_saml_providers(trust: RoleTrust) -> frozenset[str]:
    """List the SAML providers of the role's account that a trust policy allows."""
    return frozenset(_iterate_allowed_saml_providers(trust))


def _iterate_allowed_saml_providers(trust: RoleTrust) -> Iterator[str]:
    """Yield the account's SAML providers that a trust policy allows."""
    for grant in trust.grants:
        clause = grant.clause
        if clause.effect is PolicyEffect.ALLOW and clause.matches_action(
            ASSUME_ROLE_WITH_SAML
        ):
            for kind, value in clause.principals:
                saml = kind == "Federated" and _KIND in value
                if saml and get_arn_account(value) == trust.account:
                    yield value


def _build_saml_takeover_target(provider: str, trust: RoleTrust) -> Resource:
    """Build the takeover target for a SAML provider and a role that trusts it."""
    return Resource(
        id=ResourceId(f"{provider}{_MARK}{trust.role}"),
        kind=SAML_PROVIDER,
        account=trust.account,
        tags=(),
        seen=_NO_SIGHTING,
        runs_as=IdentityId(trust.role),
    )


def get_takeover_resource_arn(resource: str) -> str:
    """Return a resource's ARN; for a provider and role pair the provider's."""
    return resource.partition(_MARK)[0] if _KIND in resource else resource
