"""SAML providers trusted by roles, as targets of a takeover.

A caller that replaces a provider's metadata can sign assertions for its roles.
Source: AWS IAM API Reference, "UpdateSAMLProvider"; IAM User Guide, "Create a SAML
identity provider in IAM".
"""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.policy import Effect
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.resource import Resource
from answerable.reach.aws.compiled.principal_element import owner_in
from answerable.reach.aws.evaluation.trust import SAML, Trust

SAML_PROVIDER = "iam:saml-provider"
_NOWHERE = Seen("", "", WrittenBy.PLATFORM, 0)
_MARK, _KIND = "#", ":saml-provider/"


def trusting_pairs(
    by_provider: Mapping[str, Iterable[IdentityId]], trusts: Mapping[IdentityId, Trust]
) -> dict[ResourceId, Resource]:
    """Pair each SAML provider with the roles of its account that trust it.

    Args:
        by_provider: Roles by the identity providers that their trust policies name.
        trusts: Trust policies by role.
    """
    found: dict[ResourceId, Resource] = {}
    for provider, roles in by_provider.items():
        for role in roles if _KIND in provider else ():
            if provider in named_providers(trusts[role]):
                pair = _pair(provider, trusts[role])
                found[pair.id] = pair
    return found


def named_providers(trust: Trust) -> frozenset[str]:
    """List the SAML providers of the role's account that a trust policy allows."""
    return frozenset(_named(trust))


def _named(trust: Trust) -> Iterator[str]:
    for grant in trust.grants:
        clause = grant.clause
        if clause.effect is Effect.ALLOW and clause.takes_action(SAML):
            for kind, value in clause.principals:
                saml = kind == "Federated" and _KIND in value
                if saml and owner_in(value) == trust.account:
                    yield value


def _pair(provider: str, trust: Trust) -> Resource:
    return Resource(
        id=ResourceId(f"{provider}{_MARK}{trust.role}"),
        kind=SAML_PROVIDER,
        account=trust.account,
        tags=(),
        seen=_NOWHERE,
        runs_as=IdentityId(trust.role),
    )


def arn_of(resource: str) -> str:
    """Return the ARN of a resource; of a pair that of the provider."""
    return resource.partition(_MARK)[0] if _KIND in resource else resource
