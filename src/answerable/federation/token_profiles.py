"""Define the claims that each token type requires, allows and forbids.

The endpoint decides the type, and the issuer's pin whether that issuer may send it; the
token has no say. Claims that only another type carries are forbidden (RFC 8725 3.12).
"""

from dataclasses import dataclass, field

from answerable.model.token_claims import TokenType

_REQUIRED_CLAIMS = frozenset({"iss", "sub", "aud", "exp", "iat"})


@dataclass(frozen=True, slots=True)
class TokenProfile:
    """Validation rules of one token type.

    Attributes:
        types: Accepted values of `typ`, lower case.
        required: Claims that must be present.
        optional: Claims that are checked if present; others are reported as unchecked.
        forbidden: Claims of other token types.
        azp_is_audience: `azp` must equal the audience.
        known: Required and optional claims.
    """

    types: frozenset[str]
    required: frozenset[str]
    optional: frozenset[str]
    forbidden: frozenset[str]
    azp_is_audience: bool = False
    known: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "known", self.required | self.optional)


_OPTIONAL_CLAIMS = frozenset({"nbf", "jti", "cnf", "act"})
# Marks of security events and logout tokens (RFC 8417 2.2), and of DPoP proofs.
_FOREIGN_CLAIMS = frozenset({"events", "htm", "htu"})
# Claims of an ID token, which describes a sign-in (OpenID Connect Core 2).
_SIGN_IN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})

TOKEN_PROFILES: dict[TokenType, TokenProfile] = {
    # RFC 9068 2
    TokenType.ACCESS_TOKEN: TokenProfile(
        types=frozenset({"at+jwt"}),
        required=_REQUIRED_CLAIMS | {"client_id", "jti"},
        optional=_OPTIONAL_CLAIMS | {"scope"},
        forbidden=_FOREIGN_CLAIMS | _SIGN_IN_CLAIMS,
    ),
    # OpenID Connect Core 2; `typ` is not said there, and often is JWT.
    TokenType.ID_TOKEN: TokenProfile(
        types=frozenset({"", "jwt"}),
        required=_REQUIRED_CLAIMS,
        optional=_OPTIONAL_CLAIMS | {"azp"},
        forbidden=_FOREIGN_CLAIMS | {"scope", "scp", "client_id"},
        azp_is_audience=True,
    ),
    # Workload tokens of platforms such as GitHub Actions and Kubernetes.
    TokenType.JWT: TokenProfile(
        types=frozenset({"", "jwt"}),
        required=_REQUIRED_CLAIMS,
        optional=_OPTIONAL_CLAIMS,
        forbidden=_FOREIGN_CLAIMS | _SIGN_IN_CLAIMS,
    ),
    # SPIFFE, "The JWT-SVID", 2 and 3. Its issuer is the trust domain of its `sub`.
    TokenType.JWT_SVID: TokenProfile(
        types=frozenset({"", "jwt", "jose"}),
        required=frozenset({"sub", "aud", "exp"}),
        optional=_OPTIONAL_CLAIMS | {"iat"},
        forbidden=_FOREIGN_CLAIMS | _SIGN_IN_CLAIMS | {"client_id", "scope", "scp"},
    ),
    # draft-ietf-oauth-identity-assertion-authz-grant 3
    TokenType.ID_JAG: TokenProfile(
        types=frozenset({"oauth-id-jag+jwt"}),
        required=_REQUIRED_CLAIMS | {"client_id", "jti"},
        optional=_OPTIONAL_CLAIMS | {"scope"},
        forbidden=_FOREIGN_CLAIMS | _SIGN_IN_CLAIMS,
    ),
}
