"""Verify tokens of pinned issuers, for the gateway and the token service.

Unverified text in, `SignedClaims` out, or an error. No other code makes claims of a
token, and nothing is read from a rejected token. docs/decisions/0010.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from answerable.federation.actor_claim import parse_actors
from answerable.federation.algorithms import KEY_TYPES
from answerable.federation.claim_parsing import (
    check_authorized_party,
    check_claim_names,
    flatten_claims,
    parse_audience,
    parse_confirmation,
    parse_scope,
    parse_svid_times,
    parse_text,
    parse_times,
)
from answerable.federation.jwk import VerificationKey
from answerable.federation.jwk_set import IssuerKeySet
from answerable.federation.jws_parsing import UnverifiedToken, is_identifier, parse_jws
from answerable.federation.spiffe_id import is_trust_domain, parse_trust_domain
from answerable.federation.token_errors import TokenFault, TokenRejected, UnknownKey
from answerable.federation.token_profiles import TOKEN_PROFILES, TokenProfile
from answerable.model.errors import UsageError
from answerable.model.token_claims import SignedClaims, TokenType, TrustedIssuer

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class IssuerWithKeys:
    """A pinned issuer with its current keys.

    Attributes:
        audience: The one audience of its tokens at this server.
        keys: Keys as last fetched; a key belongs to one issuer only.
    """

    issuer: TrustedIssuer
    audience: str
    keys: IssuerKeySet


class IssuerIndex:
    """Index of the pinned issuers by `iss`.

    Raises:
        UsageError: Two have one `iss` or one name, or a pin is invalid.
    """

    def __init__(self, *pinned: IssuerWithKeys) -> None:
        self._by_iss = {one.issuer.iss: one for one in pinned}
        names = {one.issuer.name for one in pinned}
        if not len(self._by_iss) == len(names) == len(pinned):
            raise UsageError(
                "two issuers have the same name or iss",
                "give each entry of `issuers` its own name and iss",
            )
        for one in pinned:
            validate_issuer(one.issuer)

    def find_issuer(self, iss: object) -> IssuerWithKeys | None:
        """Return the issuer with exactly this `iss`; None if there is none."""
        return self._by_iss.get(iss) if isinstance(iss, str) else None

    def __iter__(self) -> Iterator[IssuerWithKeys]:
        return iter(self._by_iss.values())


def validate_issuer(issuer: TrustedIssuer) -> None:
    """Validate a pinned issuer (RFC 8414 2: https, no query, no fragment).

    Raises:
        UsageError: The address, an algorithm, or the life of its tokens is wrong.
    """
    where = f"issuer {issuer.name}: "
    svid = TokenType.JWT_SVID in issuer.token_types
    if svid != is_trust_domain(issuer.iss) or (svid and len(issuer.token_types) > 1):
        raise UsageError(
            where
            + "a SPIFFE trust domain issues only JWT-SVIDs, and only it issues them",
            "use spiffe://DOMAIN together with jwt-svid",
        )
    if not svid:
        _validate_issuer_url(issuer, where)
    if not issuer.algs or not KEY_TYPES.keys() >= set(issuer.algs):
        raise UsageError(
            where + "algs is empty or contains an unsupported algorithm",
            "use of: " + ", ".join(KEY_TYPES),
        )
    if not issuer.token_types or issuer.max_ttl <= 0:
        raise UsageError(where + "no token of the issuer could be accepted")


def _validate_issuer_url(issuer: TrustedIssuer, prefix: str) -> None:
    """Check that `iss` is an https URL without user, query and fragment."""
    try:
        parts = urlsplit(issuer.iss)
        host = parts.hostname or ""
    except ValueError:
        raise UsageError(prefix + "iss is not a URL") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    plain = issuer.iss.isascii() and is_identifier(issuer.iss) and " " not in issuer.iss
    if not secure or not host or not plain:
        raise UsageError(
            prefix + "iss is not an https URL",
            "write `iss` exactly as in the tokens of the issuer",
        )
    if "@" in parts.netloc or "?" in issuer.iss or "#" in issuer.iss:
        raise UsageError(prefix + "iss has a user, a query or a fragment")


def verify_token(
    unverified_token: str,
    issuers: IssuerIndex,
    now: int,
    token_type: TokenType = TokenType.ACCESS_TOKEN,
) -> SignedClaims:
    """Verify signature, issuer, times and audience of a token; return its claims.

    Args:
        issuers: Accepted issuers and their keys.
        now: NumericDate.
        token_type: The type that this endpoint accepts; the token has no say in it.

    Raises:
        TokenMalformed: The text is not a token.
        UnknownKey: The key of a pinned issuer is not known yet.
        TokenExpired: It has expired.
        TokenRejected: Any other check failed.
    """
    return verify_parsed_token(parse_jws(unverified_token), issuers, now, token_type)


def verify_parsed_token(
    parsed_token: UnverifiedToken, issuers: IssuerIndex, now: int, token_type: TokenType
) -> SignedClaims:
    """Verify a parsed token and return its claims; see `verify_token`.

    Raises:
        TokenRejected: As there.
    """
    # A JWT-SVID need not say who issued it, and what it says means nothing: its trust
    # domain's keys sign for that domain alone.
    svid = token_type is TokenType.JWT_SVID
    sub, iss = parsed_token.payload.get("sub"), parsed_token.payload.get("iss")
    pinned = issuers.find_issuer(parse_trust_domain(sub) if svid else iss)
    if pinned is None:
        raise TokenRejected(TokenFault.ISSUER, "expected a pinned issuer")
    profile = TOKEN_PROFILES[token_type]
    if token_type not in pinned.issuer.token_types:
        raise TokenRejected(
            TokenFault.TOKEN_TYPE,
            "expected a token type for which this issuer is pinned",
        )
    if parsed_token.head.typ not in profile.types:
        raise TokenRejected(TokenFault.TYP, "expected the typ of an accepted token")
    key = _find_verification_key(parsed_token, pinned)
    if not key.verify(parsed_token.signing_input, parsed_token.signature):
        raise TokenRejected(
            TokenFault.SIGNATURE, "expected a signature of the issuer's key"
        )
    return _parse_claims(parsed_token, pinned, profile, now, token_type)


def _find_verification_key(
    parsed_token: UnverifiedToken, issuer: IssuerWithKeys
) -> VerificationKey:
    """Return the key by issuer and kid; check the algorithm in the header."""
    if not parsed_token.head.kid:
        raise TokenRejected(TokenFault.KID, "expected a key id")
    key = issuer.keys.keys.get(parsed_token.head.kid)
    if key is None:
        raise UnknownKey(issuer.issuer.name)
    if parsed_token.head.alg != key.alg:
        raise TokenRejected(TokenFault.ALG, "expected the algorithm of the key")
    return key


def _parse_claims(
    parsed_token: UnverifiedToken,
    pinned: IssuerWithKeys,
    profile: TokenProfile,
    now: int,
    token_type: TokenType,
) -> SignedClaims:
    """Parse the claims of a token whose signature is verified."""
    payload, issuer = parsed_token.payload, pinned.issuer
    unchecked = check_claim_names(payload, profile)
    if issuer.jti_required and "jti" not in payload:
        raise TokenRejected(TokenFault.CLAIM_MISSING, "expected the claim jti")
    aud = parse_audience(payload, pinned.audience)
    check_authorized_party(payload, profile, pinned.audience)
    svid = token_type is TokenType.JWT_SVID
    times = (parse_svid_times if svid else parse_times)(payload, now, issuer.max_ttl)
    exp, iat, nbf = times
    asked = profile.known
    return SignedClaims(
        token_type=token_type,
        issuer=issuer.name,
        iss=issuer.iss,
        sub=parse_text(payload, "sub"),
        aud=aud,
        exp=exp,
        iat=iat,
        nbf=nbf,
        jti=parse_text(payload, "jti"),
        client_id=parse_text(payload, "client_id") if "client_id" in asked else "",
        scope=parse_scope(payload) if "scope" in asked else (),
        cnf=parse_confirmation(payload),
        act=parse_actors(payload, issuer.ours),
        kid=parsed_token.head.kid,
        alg=parsed_token.head.alg,
        leaves=flatten_claims(payload),
        unchecked=unchecked,
        token_sha256=parsed_token.sha256,
        payload_sha256=_hash_payload(parsed_token),
    )


def _hash_payload(parsed_token: UnverifiedToken) -> bytes:
    """Return the SHA-256 of the token's payload segment."""
    payload = parsed_token.signing_input.partition(b".")[2]
    return hashlib.sha256(payload).digest()
