"""What a token of each type has to look like; a token is verified as one type.

The caller says which type it takes at this door, the issuer's pin whether that issuer
may send it. The token itself chooses nothing: where types look alike, the claims that
only another type carries are forbidden (RFC 8725 3.12).
"""

from dataclasses import dataclass, field

from answerable.model.claims import TokenType

_ALWAYS = frozenset({"iss", "sub", "aud", "exp", "iat"})


@dataclass(frozen=True, slots=True)
class Profile:
    """The rules of one token type.

    Attributes:
        types: Values of `typ` it may have, lower case; empty where it may have none.
        required: Claims it must carry.
        optional: Claims that are checked if it carries them. What is neither is
            unchecked, and named so.
        forbidden: Claims that mark it as something else.
        azp_is_audience: `azp` has to name the audience too.
        known: Claims that are required or optional.
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
# Marks of an ID token, which speaks of a sign-in (OpenID Connect Core 2).
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
    # What platforms give to workloads: GitHub Actions, Kubernetes, and their like.
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
