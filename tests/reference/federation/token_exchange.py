"""Reference token exchange: each condition once, in order, without indexes.

`expected_claims` says what is signed, or None. The reasons are `exchange`'s affair. Hypothesis
holds both equal.
"""

from dataclasses import replace

from answerable.federation.delegation_source import VerifiedRequest
from answerable.federation.exchange_inputs import TrustState
from answerable.federation.token_exchange_decision import FreshIds
from answerable.model.token_claims import Confirmation, TokenType
from answerable.model.trust_rule import GrantedTokenKind, RequiredBinding
from tests.reference.federation.delegations import (
    TokenDelegation,
    find_delegation,
    get_acting_agent,
    proves_key,
)


def expected_claims(
    asked: VerifiedRequest, standing: TrustState, ids: FreshIds, now: int
) -> dict[str, object] | None:
    """Return the claims signed for a request, None where it is refused."""
    link = find_delegation(asked, standing, ids.delegation, now)
    if link is None:
        return None
    wants_jag = asked.request.requested_type is TokenType.ID_JAG
    grants = [
        grant
        for grant in link.rule.grants
        if (grant.gives is GrantedTokenKind.ID_JAG) == wants_jag
        and grant.gateway == asked.gateway
        and grant.audience in link.audiences
        and asked.request.audience in ("", grant.audience)
    ]
    if len(grants) != 1:
        return None
    grant = grants[0]
    key = link.key
    if asked.gateway:
        own = {"dpop": (asked.shown.jkt, ""), "mtls": ("", asked.shown.x5t_s256)}
        key = Confirmation(*own.get(grant.bind.value, ("", "")))
    have = [s for s in grant.scopes if (grant.audience, s) in link.scopes]
    expires = min(now + min(grant.ttl, link.life(grant.audience)), link.ends)
    everybody = {link.agent, link.sub, *link.actors} | {
        name for each in link.above for name in (each.agent, each.sub, *each.actors)
    }
    owners = {each.owner for each in link.above} | {
        standing.owners.get(get_acting_agent(link), "")
    }
    runs = {link.run, f"run:{link.id}"} | {
        name for each in link.above for name in (each.run, f"run:{each.id}")
    }
    holds = (
        proves_key(asked.shown, key)
        and (grant.bind is not RequiredBinding.DPOP or key.jkt != "")
        and (grant.bind is not RequiredBinding.MTLS or key.x5t_s256 != "")
        and set(asked.request.scopes) <= set(have)
        and expires > now
        and link.depth <= 4
        and get_acting_agent(link) in standing.owners
        and all(standing.owners.get(e.agent) == e.owner for e in link.above)
        and standing.kills.isdisjoint(everybody | owners | runs)
        and f"rule:{link.rule.id}" not in standing.kills
    )
    if not holds:
        return None
    link = replace(link, key=key)
    return _signed(asked, standing, ids, link, grant.audience, have, now, expires)


def _signed(
    asked: VerifiedRequest,
    standing: TrustState,
    ids: FreshIds,
    link: TokenDelegation,
    audience: str,
    have: list[str],
    now: int,
    expires: int,
) -> dict[str, object]:
    """The claims, one after the other."""
    scopes = asked.request.scopes or have
    key = {"jkt": link.key.jkt, "x5t#S256": link.key.x5t_s256}
    act: dict[str, object] = {}
    for actor in reversed(link.actors):
        act = {
            "sub": actor,
            "iss": standing.url,
            "entity": actor,
            **({"act": act} if act else {}),
        }
    whole = {
        "iss": standing.url,
        "sub": link.sub,
        "aud": audience,
        "client_id": link.agent,
        "iat": now,
        "nbf": now,
        "exp": expires,
        "jti": ids.token,
        "scope": " ".join(scopes),
        "cnf": {name: digest for name, digest in key.items() if digest},
        "act": act,
    }
    kinds = {"process": "unix-peer", "run": "launcher", "ticket": "parent"}
    if asked.request.requested_type is not TokenType.ID_JAG:
        whole["answerable"] = {
            "agent": link.agent,
            "instance": link.run,
            "owner": standing.owners[get_acting_agent(link)],
            "rule": link.rule.id,
            "rule_hash": link.rule.digest,
            "dlg": link.id,
            "depth": link.depth,
            "attest": kinds.get(link.run.split(":")[0], "issuer"),
        }
    return {name: value for name, value in whole.items() if value}
