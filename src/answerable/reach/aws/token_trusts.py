"""List the roles that trust OIDC tokens of an issuer, and the steps into them."""

from collections.abc import Iterator

from answerable.model.policy import PolicyEffect
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.trust_policies import RoleTrust
from answerable.reach.aws.external_caller_queries import build_role_entry_hop
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.platform import PathHop
from answerable.reach.token_trust import Claims, TokenTrust

_PROVIDER = ":oidc-provider/"


def list_token_trusts(graph: IdentityGraph, issuer: str) -> Iterator[TokenTrust]:
    """List the roles that trust an issuer, or a part of it below a path."""
    for role, trust in graph.accounts.trusts.items():
        if not trust.collected:
            if trust.seen:
                yield TokenTrust(role, issuer, {}, collected=False)
            continue
        for named in sorted(_list_issuers(trust)):
            if named == issuer or named.startswith(f"{issuer}/"):
                yield TokenTrust(role, named, _collect_stated_values(trust, named))


def _list_issuers(trust: RoleTrust) -> set[str]:
    """List the issuers of OIDC tokens that a trust policy names."""
    return {
        value.partition(_PROVIDER)[2]
        for grant in trust.grants
        if grant.clause.effect is PolicyEffect.ALLOW
        for kind, value in grant.clause.principals
        if kind == "Federated" and _PROVIDER in value
    }


def _collect_stated_values(trust: RoleTrust, issuer: str) -> Claims:
    """Collect the values that conditions state on the claims of an issuer."""
    found: dict[str, dict[str, None]] = {}
    prefix = f"{issuer}:".lower()
    for grant in trust.grants:
        for clause in grant.clause.conditions:
            key = clause.key.lower()
            if key.startswith(prefix):
                claim = key.removeprefix(prefix)
                found.setdefault(claim, {}).update(dict.fromkeys(clause.values))
    return {claim: tuple(values) for claim, values in found.items()}


def list_token_entries(
    graph: IdentityGraph, trust: TokenTrust, claims: Claims
) -> list[PathHop]:
    """List the steps by which a token with such claims enters a role."""
    known = ContextKeys(
        {f"{trust.issuer}:{name}".lower(): values for name, values in claims.items()}
    )
    return [
        build_role_entry_hop(entry, trust.identity)
        for entry in graph.list_entries_with_claims(trust.identity, known)
        if entry.principal.partition(_PROVIDER)[2] == trust.issuer
    ]
