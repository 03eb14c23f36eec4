"""Parse and check the claims of a JWT by token profile (RFC 7519 4.1).

A number must be a JSON integer: no text, fraction or boolean.
"""

from answerable.federation.jws_parsing import is_identifier
from answerable.federation.strict_json import JsonObject
from answerable.federation.token_errors import TokenExpired, TokenFault, TokenRejected
from answerable.federation.token_profiles import TokenProfile
from answerable.model.token_claims import ClaimPath, ClaimScalar, Confirmation

CLOCK_SKEW = 30  # seconds that two clocks may differ by
_MAX_TIME = 253402300799  # the end of the year 9999

# RFC 6749 3.3
SCOPE_LETTERS = frozenset(chr(code) for code in range(0x21, 0x7F)) - set('"\\')

ClaimLeaf = tuple[ClaimPath, ClaimScalar | tuple[ClaimScalar, ...]]


def check_claim_names(payload: JsonObject, profile: TokenProfile) -> tuple[str, ...]:
    """Check required and forbidden claims; return the claims without a rule.

    Raises:
        TokenRejected: A required claim is missing, or a forbidden one is present.
    """
    names = payload.keys()
    if not profile.required <= names:
        missing = min(profile.required - names)
        raise TokenRejected(TokenFault.CLAIM_MISSING, f"expected the claim {missing}")
    if not profile.forbidden.isdisjoint(names):
        message = (
            f"expected no {min(profile.forbidden & names)} in a token of this type"
        )
        raise TokenRejected(TokenFault.CLAIM_FORBIDDEN, message)
    return tuple(sorted(names - profile.known))


def parse_text(payload: JsonObject, name: str) -> str:
    """Parse an optional claim that is an identifier; empty if absent.

    Raises:
        TokenRejected: It is not a text, empty, too long, or not printable.
    """
    if name not in payload:
        return ""
    value = payload[name]
    if not is_identifier(value):
        raise TokenRejected(
            TokenFault.CLAIM_TYPE, f"expected {name} to be a printable string"
        )
    return value


def parse_time(payload: JsonObject, name: str) -> int:
    """Parse a required NumericDate in whole seconds.

    Raises:
        TokenRejected: It is not an integer, or outside the years 1970 to 9999.
    """
    value = payload.get(name)
    if type(value) is not int or not 0 <= value <= _MAX_TIME:
        raise TokenRejected(
            TokenFault.CLAIM_TYPE, f"expected {name} to be a whole number of seconds"
        )
    return value


def parse_times(
    payload: JsonObject, now: int, max_ttl: int
) -> tuple[int, int, int | None]:
    """Parse exp, iat and nbf, and check them against the clock and `max_ttl`.

    Raises:
        TokenExpired: `exp` was `CLOCK_SKEW` seconds ago, or longer.
        TokenRejected: The token is not valid yet, or lives too long.
    """
    exp, iat = parse_time(payload, "exp"), parse_time(payload, "iat")
    nbf = parse_time(payload, "nbf") if "nbf" in payload else None
    if exp <= iat or (nbf is not None and exp <= nbf):
        raise TokenRejected(TokenFault.LIFETIME, "expected exp after nbf")
    if exp - iat > max_ttl:
        raise TokenRejected(
            TokenFault.LIFETIME, f"expected a lifetime of at most {max_ttl} s"
        )
    # RFC 7519 4.1.4: on or after exp it is over.
    if now >= exp + CLOCK_SKEW:
        raise TokenExpired(TokenFault.EXPIRED, "expected a token that has not expired")
    if iat > now + CLOCK_SKEW or (nbf is not None and nbf > now + CLOCK_SKEW):
        raise TokenRejected(
            TokenFault.NOT_YET, "expected a token that is already valid"
        )
    return exp, iat, nbf


def parse_svid_times(
    payload: JsonObject, now: int, max_ttl: int
) -> tuple[int, int, int | None]:
    """Parse the times of a JWT-SVID, in which `iat` is optional.

    Its remaining life must not exceed `max_ttl`, which bounds the issue time without
    `iat`.

    Raises:
        TokenExpired: `exp` was `CLOCK_SKEW` seconds ago, or longer.
        TokenRejected: It is not valid yet, or its remaining life is too long.
    """
    exp = parse_time(payload, "exp")
    if exp > now + max_ttl + CLOCK_SKEW:
        raise TokenRejected(
            TokenFault.LIFETIME, f"expected a lifetime of at most {max_ttl} s"
        )
    first = max(0, exp - max_ttl)
    dated = payload if "iat" in payload else {**payload, "iat": first}
    times = parse_times(dated, now, exp)
    return exp, max(times[1], first), times[2]


def parse_audience(payload: JsonObject, audience: str) -> str:
    """Parse `aud`, which must be exactly this audience.

    A token for several audiences could be replayed by one of them at another.

    Raises:
        TokenRejected: It is another audience, one of several, or not a text.
    """
    value = payload.get("aud")
    if isinstance(value, list) and len(value) == 1:
        value = value[0]
    if not audience or value != audience:
        raise TokenRejected(TokenFault.AUDIENCE, "expected only this audience")
    return audience


def parse_scope(payload: JsonObject) -> tuple[str, ...]:
    """Parse `scope`: scope tokens separated by single spaces (RFC 6749 3.3).

    Raises:
        TokenRejected: It is malformed.
    """
    if "scope" not in payload:
        return ()
    value = payload["scope"]
    if not isinstance(value, str):
        raise TokenRejected(TokenFault.CLAIM_TYPE, "expected scope as a string")
    tokens = tuple(value.split(" "))
    if not all(token and SCOPE_LETTERS.issuperset(token) for token in tokens):
        raise TokenRejected(
            TokenFault.CLAIM_TYPE, "expected scope tokens separated by single spaces"
        )
    return tokens


def parse_confirmation(payload: JsonObject) -> Confirmation:
    """Parse `cnf` (RFC 7800 3.1).

    An unsupported method is an error: ignoring it would remove the constraint.

    Raises:
        TokenRejected: It names no key, or uses an unsupported method.
    """
    if "cnf" not in payload:
        return Confirmation()
    value = payload["cnf"]
    if not isinstance(value, dict) or not value:
        raise TokenRejected(TokenFault.CNF_UNKNOWN, "expected a confirmation method")
    if value.keys() - {"jkt", "x5t#S256"}:
        raise TokenRejected(
            TokenFault.CNF_UNKNOWN, "expected the methods jkt and x5t#S256"
        )
    for digest in value.values():
        # SHA-256 in base64url; a wrong spelling never equals one of ours.
        if not isinstance(digest, str) or len(digest) != 43:
            raise TokenRejected(
                TokenFault.CNF_UNKNOWN, "expected a SHA-256 digest in cnf"
            )
    return Confirmation(value.get("jkt", ""), value.get("x5t#S256", ""))


def check_authorized_party(
    payload: JsonObject, profile: TokenProfile, audience: str
) -> None:
    """Check `azp` against the audience if the profile requires it (OIDC Core 3.1.3.7).

    Raises:
        TokenRejected: The token was issued for another party.
    """
    if not profile.azp_is_audience or "azp" not in payload:
        return
    if parse_text(payload, "azp") != audience:
        raise TokenRejected(
            TokenFault.AUTHORIZED_PARTY, "expected azp to be the audience"
        )


def flatten_claims(payload: JsonObject) -> tuple[ClaimLeaf, ...]:
    """List every scalar of every claim with its path, in token order."""
    leaves: list[ClaimLeaf] = []
    _append_leaves((), payload, leaves)
    return tuple(leaves)


def _append_leaves(
    path: ClaimPath, members: JsonObject, leaves: list[ClaimLeaf]
) -> None:
    """Append each scalar in `members` with its path; skip mixed lists."""
    for name, value in members.items():
        here = (*path, name)
        if isinstance(value, (str, int)):
            leaves.append((here, value))
        elif isinstance(value, dict):
            _append_leaves(here, value, leaves)
        elif isinstance(value, list):
            scalars = tuple(v for v in value if isinstance(v, (str, int)))
            if len(scalars) == len(value):
                leaves.append((here, scalars))
