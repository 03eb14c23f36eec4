"""List the roles that trust tokens of an issuer or calls of a service, and the entries."""

from collections.abc import Iterator

from answerable.model.ids import IdentityId
from answerable.model.policy import PolicyEffect
from answerable.reach.aws.evaluation.conditions import evaluate_block
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.aws.evaluation.trust_policies import TAG_SESSION, RoleTrust
from answerable.reach.aws.external_caller_queries import build_role_entry_hop
from answerable.reach.aws.paths.identity_graph import IdentityGraph
from answerable.reach.condition_formula import FALSE, conjoin, disjoin
from answerable.reach.platform import PathHop
from answerable.reach.token_trust import Claims, TokenTrust

_PROVIDER = ":oidc-provider/"


def has_trust_policy(graph: IdentityGraph, role: IdentityId) -> bool:
    """Return whether the trust policy of a role was collected."""
    trust = graph.accounts.trusts.get(role)
    return trust is not None and trust.collected


def list_token_trusts(graph: IdentityGraph, issuer: str) -> Iterator[TokenTrust]:
    """List the roles that trust an issuer, or a part of it below a path."""
    for role, trust in graph.accounts.trusts.items():
        if not trust.collected:
            if trust.seen:
                yield TokenTrust(role, issuer, {}, collected=False)
            continue
        for named in sorted(_list_issuers(trust)):
            if named == issuer or named.startswith(f"{issuer}/"):
                yield _build_token_trust(role, trust, named)


def _list_issuers(trust: RoleTrust) -> set[str]:
    """List the issuers of OIDC tokens that a trust policy names."""
    return {
        value.partition(_PROVIDER)[2]
        for grant in trust.grants
        if grant.clause.effect is PolicyEffect.ALLOW
        for kind, value in grant.clause.principals
        if kind == "Federated" and _PROVIDER in value
    }


def _build_token_trust(role: IdentityId, trust: RoleTrust, issuer: str) -> TokenTrust:
    """Collect the values that the statements for an issuer state on its claims."""
    found: dict[str, dict[str, None]] = {}
    free: set[str] = set()
    prefix = f"{issuer}:".lower()
    stated_by: list[set[str]] = []
    for grant in trust.grants:
        clause = grant.clause
        if clause.effect is not PolicyEffect.ALLOW or not any(
            value.endswith(f"{_PROVIDER}{issuer}") for _, value in clause.principals
        ):
            continue
        mine: set[str] = set()
        for line in clause.conditions:
            key = line.key.lower()
            if key.startswith(prefix):
                claim = key.removeprefix(prefix)
                found.setdefault(claim, {}).update(dict.fromkeys(line.values))
                mine.add(claim)
        stated_by.append(mine)
    for claim in found:
        if not all(claim in mine for mine in stated_by):
            free.add(claim)
    stated = {claim: tuple(values) for claim, values in found.items()}
    return TokenTrust(role, issuer, stated, frozenset(free))


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


def list_service_entries(
    graph: IdentityGraph, role: IdentityId, service: str, keys: Claims
) -> list[PathHop]:
    """List the steps by which a service that tags its sessions enters a role.

    Args:
        keys: Condition keys of the calls in lower case, with their values.
    """
    trust = graph.accounts.trusts.get(role)
    if trust is None:
        return []
    known = ContextKeys(keys)
    tagged = disjoin(
        *(
            evaluate_block(grant.clause.conditions, known)
            for grant in trust.grants
            if grant.clause.effect is PolicyEffect.ALLOW
            and ("Service", service) in grant.clause.principals
            and grant.clause.matches_action(TAG_SESSION)
        )
    )
    steps = []
    for entry in graph.list_entries_with_claims(role, known):
        formula = conjoin(entry.answer.formula, tagged)
        if entry.principal == service and formula != FALSE:
            hop = build_role_entry_hop(entry, role)
            steps.append(PathHop(hop.origin, hop.via, hop.to, formula, hop.determining))
    return steps
