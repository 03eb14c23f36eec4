"""Token exchange decision: a verified request and the rules give a token or a denial.

Everything that is not allowed is denied, errors included. Inputs are verified before,
and results are recorded after. Self-reported facts are no input: `Asked` has no field
for them.
"""

from collections.abc import Mapping

import msgspec

from answerable.federation.delegation_source import (
    Asked,
    Basis,
    Handed,
    Held,
    find_basis,
)
from answerable.federation.delegations import scopes_at, ttl_at
from answerable.federation.denials import Refused, Why, refusal
from answerable.federation.token_claims import (
    ACCESS_TOKEN_TYP,
    ID_JAG_TYP,
    Payload,
    Term,
    claims_of,
)
from answerable.federation.trust_state import Standing, check_standing
from answerable.model.claims import Confirmation, TokenType
from answerable.model.delegation import Delegation
from answerable.model.exchange import Refusal, TokenRequest
from answerable.model.trust_rule import Bind, Granted, TokenGrant, TrustRule

__all__ = ["Asked", "Handed", "Held", "Ids", "Minting", "Standing", "decide"]

_TYP = {Granted.ACCESS_TOKEN: ACCESS_TOKEN_TYP, Granted.ID_JAG: ID_JAG_TYP}


class Ids(msgspec.Struct, frozen=True, gc=False):
    """Fresh random ids.

    Attributes:
        delegation: For a new delegation.
        token: `jti` of the new token.
    """

    delegation: str
    token: str


class Minting(msgspec.Struct, frozen=True, gc=False):
    """A granted token, to be recorded and then signed.

    Attributes:
        opens: Whether the delegation is new.
        under: Id of the delegation that must be live up to its root when this is
            recorded; empty for a new root.
        ticket: Digest of the consumed ticket, hex, empty without one.
        typ: Its `typ`.
        issued: Its `iat`.
        expires: Its `exp`.
        used: Pairs (claim or fact, value) that the rule used, for evidence.
    """

    delegation: Delegation
    opens: bool
    under: str
    ticket: str
    rule: TrustRule
    gives: Granted
    typ: str
    claims: Payload
    cnf: Confirmation
    audience: str
    scopes: tuple[str, ...]
    issued: int
    expires: int
    used: tuple[tuple[str, str], ...]


def decide(asked: Asked, standing: Standing, ids: Ids, now: int) -> Minting | Refusal:
    """Decide one exchange; an error is a denial, never an exception.

    Args:
        now: NumericDate.
    """
    try:
        basis = find_basis(asked, standing, ids.delegation, now)
        check_standing(basis.chain, standing)
        return _mint(asked, basis, standing.url, ids.token, now)
    except Refused as refused:
        return refused.refusal
    except Exception:  # noqa: BLE001 - whatever went wrong, the answer is no
        return refusal(Why.EVALUATION)


def _mint(asked: Asked, basis: Basis, iss: str, jti: str, now: int) -> Minting:
    delegation = basis.delegation
    grant = _grant(asked, basis.rule, delegation)
    # A gateway's token is its own: the key of the call's sender was shown to it.
    holder = _own_key(asked.shown, grant.bind) if grant.gateway else delegation.cnf
    cnf = _binding(asked.shown, holder, grant.bind)
    scopes = _scopes(asked.request, grant, delegation)
    life = min(grant.ttl, ttl_at(delegation, grant.audience))
    expires = min(now + life, delegation.expires)
    if expires <= now:
        raise Refused(Why.EXPIRED)
    term = Term(iss, jti, grant.audience, scopes, cnf, now, expires)
    return Minting(
        delegation=delegation,
        opens=basis.opens,
        under=basis.under,
        ticket=basis.ticket,
        rule=basis.rule,
        gives=grant.gives,
        typ=_TYP[grant.gives],
        claims=claims_of(delegation, term, grant.gives),
        cnf=cnf,
        audience=grant.audience,
        scopes=scopes,
        issued=now,
        expires=expires,
        used=basis.used,
    )


def _grant(asked: Asked, rule: TrustRule, delegation: Delegation) -> TokenGrant:
    """Select the requested grant; it may be left out if there is only one."""
    request = asked.request
    is_jag = request.requested_type is TokenType.ID_JAG
    gives = Granted.ID_JAG if is_jag else Granted.ACCESS_TOKEN
    grants: Mapping[str, TokenGrant] = {
        grant.audience: grant
        for grant in rule.grants
        if grant.gives is gives
        and grant.gateway is asked.gateway
        and grant.audience in delegation.audiences
    }
    if not request.audience and len(grants) == 1:
        return next(iter(grants.values()))
    if request.audience not in grants:
        raise Refused(Why.AUDIENCE if request.audience else Why.TARGET)
    return grants[request.audience]


def _binding(shown: Confirmation, holder: Confirmation, bind: Bind) -> Confirmation:
    """Check that the holder proved its key, of the kind that the grant requires.

    A token is bound to the key of its delegation; no later request chooses another key.
    """
    if holder.jkt and shown.jkt != holder.jkt:
        raise Refused(Why.OTHER_KEY, "jkt")
    if holder.x5t_s256 and shown.x5t_s256 != holder.x5t_s256:
        raise Refused(Why.OTHER_KEY, "x5t#S256")
    needed = {Bind.DPOP: holder.jkt, Bind.MTLS: holder.x5t_s256}
    if not needed.get(bind, "nothing"):
        raise Refused(Why.BINDING, bind)
    return holder


def _own_key(shown: Confirmation, bind: Bind) -> Confirmation:
    """Return the key that a gateway's token is bound to: the one it proves, if any."""
    match bind:
        case Bind.DPOP:
            return Confirmation(jkt=shown.jkt)
        case Bind.MTLS:
            return Confirmation(x5t_s256=shown.x5t_s256)
        case Bind.BEARER:
            return Confirmation()


def _scopes(
    request: TokenRequest, grant: TokenGrant, delegation: Delegation
) -> tuple[str, ...]:
    """Return the requested scopes, or all; an excess is denied, not cut."""
    held = scopes_at(delegation, grant.audience)
    granted = tuple(scope for scope in grant.scopes if scope in held)
    if not set(request.scopes) <= set(granted):
        raise Refused(Why.SCOPE_BEYOND)
    return request.scopes or granted
