"""Trust of workload identity pools in the OIDC tokens of other platforms."""

from collections.abc import Iterator, Sequence

from answerable.model.google_cloud_ids import split_pool_principal
from answerable.model.ids import IdentityId
from answerable.reach.condition_formula import TRUE, Formula, build_atom, conjoin
from answerable.reach.gcp.catalogue import GooglePoolProvider
from answerable.reach.gcp.estate_index import POOLS, GoogleCloudIndex
from answerable.reach.gcp.pool_tokens import (
    AUDIENCE,
    Claims,
    build_claim_values,
    enter_pool,
)
from answerable.reach.platform import PathHop
from answerable.reach.token_trust import TokenTrust

EXCHANGE = "sts.googleapis.com token exchange"
_PROVIDERS = "//iam.googleapis.com/"


def strip_scheme(issuer: str) -> str:
    """Return an issuer without its scheme and final slash."""
    return issuer.removeprefix("https://").rstrip("/")


class PoolTrusts:
    """Principals of pools, by the issuers that their providers trust."""

    def __init__(self, index: GoogleCloudIndex) -> None:
        self._index = index
        self._providers = index.header.providers

    def list_members(self, pool: str) -> Iterator[IdentityId]:
        """Yield the principals of a pool that policies name."""
        for member in self._index.header.federated_members:
            if split_pool_principal(member)[0] == pool:
                yield IdentityId(member)

    def list_token_issuers(self) -> Sequence[str]:
        """List the issuers that providers trust, without their scheme."""
        issuers = (strip_scheme(each.issuer) for each in self._providers if each.issuer)
        return tuple(dict.fromkeys(issuers))

    def has_trust_policy(self, identity: IdentityId) -> bool:
        """Return whether the providers of a pool were collected."""
        pool, _ = split_pool_principal(identity)
        return not pool or POOLS in self._index.collected

    def list_token_trusts(self, issuer: str) -> Iterator[TokenTrust]:
        """Yield the principals of pools that trust an issuer.

        A pool without collected providers may trust any issuer.
        """
        pools = {
            each.pool
            for each in self._providers
            if strip_scheme(each.issuer) == issuer
            or strip_scheme(each.issuer).startswith(f"{issuer}/")
        }
        known = POOLS in self._index.collected
        for member in self._index.header.federated_members:
            pool, part = split_pool_principal(member)
            if pool in pools:
                stated = {"sub": (part.removeprefix("subject/"),)}
                is_exact = part.startswith("subject/")
                free = frozenset() if is_exact else frozenset(("sub",))
                yield TokenTrust(IdentityId(member), issuer, stated, free)
            elif pool.startswith("projects/") and not known:
                yield TokenTrust(IdentityId(member), issuer, {}, collected=False)

    def list_token_entries(self, trust: TokenTrust, claims: Claims) -> list[PathHop]:
        """List the steps by which a token enters as a principal of a pool."""
        values = build_claim_values(claims)
        found: list[PathHop] = []
        for provider in self._providers:
            issuer = strip_scheme(provider.issuer)
            if issuer != trust.issuer and not issuer.startswith(f"{trust.issuer}/"):
                continue
            audience = match_audience(provider, claims.get("aud", ()))
            entry = enter_pool(provider, trust.identity, values)
            if entry is None or not audience:
                continue
            formula = conjoin(entry.formula, audience)
            found.append(
                PathHop("", EXCHANGE, trust.identity, formula, (entry.statement,))
            )
        return found


def match_audience(provider: GooglePoolProvider, audiences: Sequence[str]) -> Formula:
    """Return whether a provider accepts a token for one of some audiences.

    Without a list, the audience is the full name of the provider. The holder of a token
    that is requested per call chooses its audience: it stays open if it is not known.

    Source: https://docs.cloud.google.com/iam/docs/reference/rest/v1/projects.locations.workloadIdentityPools.providers,
    `allowedAudiences`.
    """
    name = f"{_PROVIDERS}{provider.name}"
    accepted = provider.audiences or (name, f"https:{name}")
    if not audiences:
        return TRUE
    if set(audiences) & set(accepted):
        return TRUE
    return build_atom(AUDIENCE, "Equals", (accepted[0],))
