"""Validation profiles by token type.

The endpoint decides the type, and the issuer's pin whether that issuer may send it; the
token has no say. Claims that only another type carries are forbidden (RFC 8725 3.12).
"""

from dataclasses import dataclass, field

from answerable.model.claims import TokenType

_ALWAYS = frozenset({"iss", "sub", "aud", "exp", "iat"})


@dataclass(frozen=True, slots=True)
class Profile:
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


_SOMETIMES = frozenset({"nbf", "jti", "cnf", "act"})
# Marks of security events and logout tokens (RFC 8417 2.2), and of DPoP proofs.
_ELSEWHERE = frozenset({"events", "htm", "htu"})
# Claims of an ID token, which describes a sign-in (OpenID Connect Core 2).
_SIGN_IN = frozenset({"nonce", "at_hash", "c_hash"})

PROFILES: dict[TokenType, Profile] = {
    # RFC 9068 2
    TokenType.ACCESS_TOKEN: Profile(
        types=frozenset({"at+jwt"}),
        required=_ALWAYS | {"client_id", "jti"},
        optional=_SOMETIMES | {"scope"},
        forbidden=_ELSEWHERE | _SIGN_IN,
    ),
    # OpenID Connect Core 2; `typ` is not said there, and often is JWT.
    TokenType.ID_TOKEN: Profile(
        types=frozenset({"", "jwt"}),
        required=_ALWAYS,
        optional=_SOMETIMES | {"azp"},
        forbidden=_ELSEWHERE | {"scope", "scp", "client_id"},
        azp_is_audience=True,
    ),
    # Workload tokens of platforms such as GitHub Actions and Kubernetes.
    TokenType.JWT: Profile(
        types=frozenset({"", "jwt"}),
        required=_ALWAYS,
        optional=_SOMETIMES,
        forbidden=_ELSEWHERE | _SIGN_IN,
    ),
    # SPIFFE, "The JWT-SVID", 2 and 3. Its issuer is the trust domain of its `sub`.
    TokenType.JWT_SVID: Profile(
        types=frozenset({"", "jwt", "jose"}),
        required=frozenset({"sub", "aud", "exp"}),
        optional=_SOMETIMES | {"iat"},
        forbidden=_ELSEWHERE | _SIGN_IN | {"client_id", "scope", "scp"},
    ),
    # draft-ietf-oauth-identity-assertion-authz-grant 3
    TokenType.ID_JAG: Profile(
        types=frozenset({"oauth-id-jag+jwt"}),
        required=_ALWAYS | {"client_id", "jti"},
        optional=_SOMETIMES | {"scope"},
        forbidden=_ELSEWHERE | _SIGN_IN,
    ),
}
