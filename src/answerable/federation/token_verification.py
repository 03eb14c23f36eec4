"""Token verification, shared by the gateway and the token service.

Unverified text in, `SignedClaims` out, or an error. No other code makes claims of a
token, and nothing is read from a rejected token. docs/decisions/0010.
"""

import hashlib
from collections.abc import Iterator
from dataclasses import dataclass
from urllib.parse import urlsplit

from answerable.federation.actor_claim import read_actors
from answerable.federation.algorithms import KINDS
from answerable.federation.claim_parsing import (
    check_party,
    check_presence,
    read_audience,
    read_confirmation,
    read_leaves,
    read_scope,
    read_svid_times,
    read_text,
    read_times,
)
from answerable.federation.errors import KeyUnknown, Reason, TokenRefused
from answerable.federation.jwk import VerificationKey
from answerable.federation.jwk_set import KeySet
from answerable.federation.jws_parsing import Admitted, admit, is_name
from answerable.federation.spiffe_id import is_trust_domain, trust_domain
from answerable.federation.token_profiles import PROFILES, Profile
from answerable.model.claims import Issuer, SignedClaims, TokenType
from answerable.model.errors import UsageError

_LOOPBACK = {"localhost", "127.0.0.1", "::1"}


@dataclass(frozen=True, slots=True)
class KnownIssuer:
    """A pinned issuer with its current keys.

    Attributes:
        audience: The one audience of its tokens at this server.
        keys: Keys as last fetched; a key belongs to one issuer only.
    """

    issuer: Issuer
    audience: str
    keys: KeySet


class Issuers:
    """Index of the pinned issuers by `iss`.

    Raises:
        UsageError: Two have one `iss` or one name, or a pin is invalid.
    """

    def __init__(self, *pinned: KnownIssuer) -> None:
        self._by_iss = {one.issuer.iss: one for one in pinned}
        names = {one.issuer.name for one in pinned}
        if not len(self._by_iss) == len(names) == len(pinned):
            raise UsageError("two issuers have one name or one iss")
        for one in pinned:
            check_issuer(one.issuer)

    def find(self, iss: object) -> KnownIssuer | None:
        """Return the issuer with exactly this `iss`; None if there is none."""
        return self._by_iss.get(iss) if isinstance(iss, str) else None

    def __iter__(self) -> Iterator[KnownIssuer]:
        return iter(self._by_iss.values())


def check_issuer(issuer: Issuer) -> None:
    """Validate a pinned issuer (RFC 8414 2: https, no query, no fragment).

    Raises:
        UsageError: The address, an algorithm, or the life of its tokens is wrong.
    """
    where = f"issuer {issuer.name}: "
    svid = TokenType.JWT_SVID in issuer.token_types
    if svid != is_trust_domain(issuer.iss) or (svid and len(issuer.token_types) > 1):
        raise UsageError(
            where + "a trust domain has JWT-SVIDs, and nothing else has",
            "spiffe://DOMAIN and jwt-svid go together",
        )
    if not svid:
        _check_url(issuer, where)
    if not issuer.algs or not KINDS.keys() >= set(issuer.algs):
        raise UsageError(
            where + "algs names none, or one we do not accept",
            "use of: " + ", ".join(KINDS),
        )
    if not issuer.token_types or issuer.max_ttl <= 0:
        raise UsageError(where + "no token of it could ever be accepted")


def _check_url(issuer: Issuer, where: str) -> None:
    try:
        parts = urlsplit(issuer.iss)
        host = parts.hostname or ""
    except ValueError:
        raise UsageError(where + "iss is no URL") from None
    secure = parts.scheme == "https" or (parts.scheme == "http" and host in _LOOPBACK)
    plain = issuer.iss.isascii() and is_name(issuer.iss) and " " not in issuer.iss
    if not secure or not host or not plain:
        raise UsageError(where + "iss is no https URL", "write it as its tokens do")
    if "@" in parts.netloc or "?" in issuer.iss or "#" in issuer.iss:
        raise UsageError(where + "iss has a user, a query or a fragment")


def verify(
    unverified_token: str,
    issuers: Issuers,
    now: int,
    token_type: TokenType = TokenType.ACCESS_TOKEN,
) -> SignedClaims:
    """Verify a token and return its claims.

    Args:
        issuers: Accepted issuers and their keys.
        now: NumericDate.
        token_type: The type that this endpoint accepts; the token has no say in it.

    Raises:
        TokenMalformed: The text is not a token.
        KeyUnknown: The key of a pinned issuer is not known yet.
        TokenExpired: It has expired.
        TokenRefused: Any other check failed.
    """
    return verify_admitted(admit(unverified_token), issuers, now, token_type)


def verify_admitted(
    admitted: Admitted, issuers: Issuers, now: int, token_type: TokenType
) -> SignedClaims:
    """Verify a parsed token and return its claims; see `verify`.

    Raises:
        TokenRefused: As there.
    """
    # A JWT-SVID need not say who issued it, and what it says means nothing: its trust
    # domain's keys sign for that domain alone.
    svid = token_type is TokenType.JWT_SVID
    sub, iss = admitted.payload.get("sub"), admitted.payload.get("iss")
    pinned = issuers.find(trust_domain(sub) if svid else iss)
    if pinned is None:
        raise TokenRefused(Reason.ISSUER, "expected a pinned issuer")
    profile = PROFILES[token_type]
    if token_type not in pinned.issuer.token_types:
        raise TokenRefused(
            Reason.TOKEN_TYPE, "expected a type this issuer is pinned for"
        )
    if admitted.head.typ not in profile.types:
        raise TokenRefused(Reason.TYP, "expected the typ of a token taken here")
    key = _key(admitted, pinned)
    if not key.holds(admitted.signing_input, admitted.signature):
        raise TokenRefused(Reason.SIGNATURE, "expected a signature of the issuer's key")
    return _claims(admitted, pinned, profile, now, token_type)


def _key(admitted: Admitted, pinned: KnownIssuer) -> VerificationKey:
    """Return the key by (issuer, kid), and check the header's algorithm."""
    if not admitted.head.kid:
        raise TokenRefused(Reason.KID, "expected a key id")
    key = pinned.keys.keys.get(admitted.head.kid)
    if key is None:
        raise KeyUnknown(pinned.issuer.name)
    if admitted.head.alg != key.alg:
        raise TokenRefused(Reason.ALG, "expected the algorithm of the key")
    return key


def _claims(
    admitted: Admitted,
    pinned: KnownIssuer,
    profile: Profile,
    now: int,
    token_type: TokenType,
) -> SignedClaims:
    """Parse the claims of a token whose signature is verified."""
    payload, issuer = admitted.payload, pinned.issuer
    unchecked = check_presence(payload, profile)
    if issuer.jti_required and "jti" not in payload:
        raise TokenRefused(Reason.CLAIM_MISSING, "expected the claim jti")
    aud = read_audience(payload, pinned.audience)
    check_party(payload, profile, pinned.audience)
    svid = token_type is TokenType.JWT_SVID
    times = (read_svid_times if svid else read_times)(payload, now, issuer.max_ttl)
    exp, iat, nbf = times
    asked = profile.known
    return SignedClaims(
        token_type=token_type,
        issuer=issuer.name,
        iss=issuer.iss,
        sub=read_text(payload, "sub"),
        aud=aud,
        exp=exp,
        iat=iat,
        nbf=nbf,
        jti=read_text(payload, "jti"),
        client_id=read_text(payload, "client_id") if "client_id" in asked else "",
        scope=read_scope(payload) if "scope" in asked else (),
        cnf=read_confirmation(payload),
        act=read_actors(payload, issuer.ours),
        kid=admitted.head.kid,
        alg=admitted.head.alg,
        leaves=read_leaves(payload),
        unchecked=unchecked,
        token_sha256=admitted.sha256,
        payload_sha256=_payload_digest(admitted),
    )


def _payload_digest(admitted: Admitted) -> bytes:
    payload = admitted.signing_input.partition(b".")[2]
    return hashlib.sha256(payload).digest()
