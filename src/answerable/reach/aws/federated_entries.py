"""Enter roles by tokens whose claims are known: of an OIDC provider, or of a service."""

from collections.abc import Iterable, Iterator, Mapping

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.trust_policies import (
    ASSUME_ROLE,
    TAG_SESSION,
    RoleTrust,
    TrustEntry,
    list_external_trust_entries,
)
from answerable.reach.aws.external_caller_queries import build_role_entry_hop
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.formula import FALSE, conjoin, disjoin
from answerable.reach.platform import PathHop

_OIDC = ":oidc-provider/"
Claims = Mapping[str, tuple[str, ...]]


def list_oidc_providers(graph: IdentityGraph) -> tuple[str, ...]:
    """List the OIDC providers that role trust policies name."""
    return tuple(each for each in graph.accounts.by_provider if _OIDC in each)


def get_issuer_of_provider(provider: str) -> str:
    """Return the issuer of a provider's ARN, without `https://`."""
    return provider.partition(_OIDC)[2]


def list_roles_of_provider(
    graph: IdentityGraph, provider: str
) -> tuple[IdentityId, ...]:
    """List the roles whose trust policy names a provider."""
    return graph.accounts.by_provider.get(provider, ())


def list_trusted_values(
    graph: IdentityGraph, role: IdentityId, key: str
) -> tuple[str, ...]:
    """List the values of a condition key in the allow statements of a role's trust.

    Returns:
        No value where a statement has no condition on the key: every value may enter.
    """
    found: dict[str, None] = {}
    trust = graph.accounts.trusts.get(role)
    for grant in trust.grants if trust else ():
        if grant.clause.effect is not PolicyEffect.ALLOW:
            continue
        values = [
            value
            for clause in grant.clause.conditions
            if clause.key.lower() == key.lower()
            for value in clause.values
        ]
        if not values:
            return ()
        found |= dict.fromkeys(values)
    return tuple(found)


def list_entries_by_token(
    graph: IdentityGraph, role: IdentityId, provider: str, claims: Claims
) -> Iterator[PathHop]:
    """Yield the steps by which a token of a provider enters a role.

    Args:
        claims: Condition keys of the token in lower case, with their values.
    """
    for entry in _evaluate_entries(graph, role, claims):
        if entry.principal == provider:
            yield build_role_entry_hop(entry, role)


def list_entries_by_service(
    graph: IdentityGraph, role: IdentityId, service: str, claims: Claims
) -> Iterator[PathHop]:
    """Yield the steps by which a service that tags its sessions enters a role.

    Args:
        claims: Condition keys of the calls in lower case, with their values.
    """
    trust = graph.accounts.trusts.get(role)
    if trust is None:
        return
    tagged = disjoin(
        *(
            evaluate_block(grant.clause.conditions, ContextKeys(claims))
            for grant in trust.grants
            if grant.clause.effect is PolicyEffect.ALLOW
            and ("Service", service) in grant.clause.principals
            and grant.clause.matches_action(TAG_SESSION)
        )
    )
    for entry in _evaluate_entries(graph, role, claims):
        formula = conjoin(entry.answer.formula, tagged)
        if entry.principal == service and formula != FALSE:
            hop = build_role_entry_hop(entry, role)
            yield PathHop(hop.origin, hop.via, hop.to, formula, hop.determining)


def _evaluate_entries(
    graph: IdentityGraph, role: IdentityId, claims: Claims
) -> Iterable[TrustEntry]:
    """Evaluate the trust policy of a role for known condition keys."""
    trust: RoleTrust | None = graph.accounts.trusts.get(role)
    if trust is None:
        return ()
    accounts = graph.accounts
    known = accounts.build_hop_request(ASSUME_ROLE, role, ContextKeys(claims)).known
    return list_external_trust_entries(trust, known, accounts.accounts)
