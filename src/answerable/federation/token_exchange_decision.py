"""Decide a token exchange: grant a token or deny, by request, rules and record.

Everything that is not allowed is denied, errors included. Inputs are verified before,
and results are recorded after. Self-reported facts are no input: `VerifiedRequest` has no field
for them.
"""

from collections.abc import Mapping

import msgspec

from answerable.federation.delegation_source import (
    DelegationSource,
    OwnToken,
    TicketGrant,
    VerifiedRequest,
    find_delegation_source,
)
from answerable.federation.delegations import max_ttl_for_audience, scopes_for_audience
from answerable.federation.denials import DenialReason, ExchangeDenied, build_refusal
from answerable.federation.exchange_inputs import TrustState, check_chain_in_force
from answerable.federation.token_claims import (
    ACCESS_TOKEN_TYP,
    ID_JAG_TYP,
    ClaimSet,
    TokenTerms,
    build_claims,
)
from answerable.model.delegation import Delegation
from answerable.model.token_claims import Confirmation, TokenType
from answerable.model.token_request import TokenRequest, TokenRequestRefusal
from answerable.model.trust_rule import (
    GrantedTokenKind,
    RequiredBinding,
    TokenGrant,
    TrustRule,
)

__all__ = [
    "FreshIds",
    "OwnToken",
    "TicketGrant",
    "TokenGrantDecision",
    "TrustState",
    "VerifiedRequest",
    "decide_exchange",
]

_TYP = {
    GrantedTokenKind.ACCESS_TOKEN: ACCESS_TOKEN_TYP,
    GrantedTokenKind.ID_JAG: ID_JAG_TYP,
}


class FreshIds(msgspec.Struct, frozen=True, gc=False):
    """Fresh random ids.

    Attributes:
        delegation: For a new delegation.
        token: `jti` of the new token.
    """

    delegation: str
    token: str


class TokenGrantDecision(msgspec.Struct, frozen=True, gc=False):
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
    gives: GrantedTokenKind
    typ: str
    claims: ClaimSet
    cnf: Confirmation
    audience: str
    scopes: tuple[str, ...]
    issued: int
    expires: int
    used: tuple[tuple[str, str], ...]


def decide_exchange(
    verified_request: VerifiedRequest, trust_state: TrustState, ids: FreshIds, now: int
) -> TokenGrantDecision | TokenRequestRefusal:
    """Decide one exchange; return a denial for an error instead of raising.

    Args:
        now: NumericDate.
    """
    try:
        basis = find_delegation_source(
            verified_request, trust_state, ids.delegation, now
        )
        check_chain_in_force(basis.chain, trust_state)
        return _build_grant(verified_request, basis, trust_state.url, ids.token, now)
    except ExchangeDenied as refused:
        return refused.refusal
    except Exception:  # noqa: BLE001 - any failure is a denial
        return build_refusal(DenialReason.EVALUATION)


def _build_grant(
    verified_request: VerifiedRequest,
    source: DelegationSource,
    iss: str,
    jti: str,
    now: int,
) -> TokenGrantDecision:
    """Build the terms and claims of the token to issue."""
    delegation = source.delegation
    grant = _select_requested_grant(verified_request, source.rule, delegation)
    # A gateway's token is its own: the key of the call's sender was shown to it.
    holder = (
        _select_gateway_key(verified_request.shown, grant.bind)
        if grant.gateway
        else delegation.cnf
    )
    cnf = _select_token_binding(verified_request.shown, holder, grant.bind)
    scopes = _select_granted_scopes(verified_request.request, grant, delegation)
    life = min(grant.ttl, max_ttl_for_audience(delegation, grant.audience))
    expires = min(now + life, delegation.expires)
    if expires <= now:
        raise ExchangeDenied(DenialReason.EXPIRED)
    term = TokenTerms(
        iss=iss,
        jti=jti,
        audience=grant.audience,
        scopes=scopes,
        cnf=cnf,
        issued=now,
        expires=expires,
    )
    return TokenGrantDecision(
        delegation=delegation,
        opens=source.opens,
        under=source.live_delegation,
        ticket=source.ticket,
        rule=source.rule,
        gives=grant.gives,
        typ=_TYP[grant.gives],
        claims=build_claims(delegation, term, grant.gives),
        cnf=cnf,
        audience=grant.audience,
        scopes=scopes,
        issued=now,
        expires=expires,
        used=source.used,
    )


def _select_requested_grant(
    verified_request: VerifiedRequest, rule: TrustRule, delegation: Delegation
) -> TokenGrant:
    """Select the requested grant; it may be left out if there is only one."""
    request = verified_request.request
    is_jag = request.requested_type is TokenType.ID_JAG
    gives = GrantedTokenKind.ID_JAG if is_jag else GrantedTokenKind.ACCESS_TOKEN
    grants: Mapping[str, TokenGrant] = {
        grant.audience: grant
        for grant in rule.grants
        if grant.gives is gives
        and grant.gateway is verified_request.gateway
        and grant.audience in delegation.audiences
    }
    if not request.audience and len(grants) == 1:
        return next(iter(grants.values()))
    if request.audience not in grants:
        raise ExchangeDenied(
            DenialReason.AUDIENCE if request.audience else DenialReason.TARGET
        )
    return grants[request.audience]


def _select_token_binding(
    proven: Confirmation, bound_key: Confirmation, binding: RequiredBinding
) -> Confirmation:
    """Return the key to bind the token to; deny unless the requester proved it.

    A token is bound to the key of its delegation; no later request chooses another key.
    """
    if bound_key.jkt and proven.jkt != bound_key.jkt:
        raise ExchangeDenied(DenialReason.OTHER_KEY, "jkt")
    if bound_key.x5t_s256 and proven.x5t_s256 != bound_key.x5t_s256:
        raise ExchangeDenied(DenialReason.OTHER_KEY, "x5t#S256")
    needed = {
        RequiredBinding.DPOP: bound_key.jkt,
        RequiredBinding.MTLS: bound_key.x5t_s256,
    }
    if not needed.get(binding, "nothing"):
        raise ExchangeDenied(DenialReason.BINDING, binding)
    return bound_key


def _select_gateway_key(proven: Confirmation, binding: RequiredBinding) -> Confirmation:
    """Return the key that a gateway's token is bound to: the one it proves, if any."""
    match binding:
        case RequiredBinding.DPOP:
            return Confirmation(jkt=proven.jkt)
        case RequiredBinding.MTLS:
            return Confirmation(x5t_s256=proven.x5t_s256)
        case RequiredBinding.BEARER:
            return Confirmation()


def _select_granted_scopes(
    request: TokenRequest, grant: TokenGrant, delegation: Delegation
) -> tuple[str, ...]:
    """Return the requested scopes, or all; deny a scope that is not granted."""
    held = scopes_for_audience(delegation, grant.audience)
    granted = tuple(scope for scope in grant.scopes if scope in held)
    if not set(request.scopes) <= set(granted):
        raise ExchangeDenied(DenialReason.SCOPE_BEYOND)
    return request.scopes or granted
