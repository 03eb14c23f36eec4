"""Claims: what a verified token says, in the words of RFC 7519, 8693, 8705 and 9449.

A token is text that anybody could have written. `federate.verify` is the one function
that makes `SignedClaims` of it. Times are NumericDate (RFC 7519 2): whole seconds
since 1970, UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.written import WrittenBy

# What a leaf of a claim can be; null is not among them.
Scalar = str | int | bool
# Where a claim stands: one name for a top-level claim, more for what lies inside it.
ClaimPath = tuple[str, ...]


class TokenType(StrEnum):
    """What a token is for, as a token type identifier (RFC 8693 3)."""

    ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
    ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name
    JWT = "urn:ietf:params:oauth:token-type:jwt"
    ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
    # SPIFFE has no name for it in an exchange; on the wire it may come as a JWT, too.
    JWT_SVID = "urn:answerable:token-type:jwt-svid"


@dataclass(frozen=True, slots=True)
class Issuer:
    """An issuer that an operator pinned.

    Attributes:
        name: Its name in the configuration.
        iss: The `iss` of its tokens, compared byte for byte; `spiffe://DOMAIN` for a
            trust domain, whose tokens are JWT-SVIDs and are known by their `sub`.
        algs: Algorithms its keys may be used with, e.g. `("RS256",)`.
        token_types: What its tokens are taken for.
        max_ttl: Longest time from `iat` to `exp`, seconds.
        jti_required: Refuse its tokens without `jti`.
        ours: Only our own token service is: its `act` is believed.
    """

    name: str
    iss: str
    algs: tuple[str, ...]
    token_types: tuple[TokenType, ...]
    max_ttl: int
    jti_required: bool = False
    ours: bool = False


@dataclass(frozen=True, slots=True)
class Actor:
    """One actor of an `act` claim (RFC 8693 4.1).

    Attributes:
        sub: Its subject.
        iss: Who named it so, empty where not said.
        entity: The entity id our own token service adds, empty where not said.
    """

    sub: str
    iss: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class ActChain:
    """The actors of a token; shown, and believed only if we issued the token.

    Attributes:
        actors: Newest first, as the claim nests them.
        written_by: `mediator` for our own tokens, else `self-reported`.
    """

    actors: tuple[Actor, ...]
    written_by: WrittenBy


@dataclass(frozen=True, slots=True)
class Confirmation:
    """The `cnf` claim: the key a presenter has to hold (RFC 7800 3.1).

    Attributes:
        jkt: RFC 7638 thumbprint of a DPoP key (RFC 9449 6.1), empty where none.
        x5t_s256: SHA-256 of a certificate, base64url (RFC 8705 3.1), empty where none.
    """

    jkt: str = ""
    x5t_s256: str = ""

    @property
    def bound(self) -> bool:
        """Tell whether the token is bound to a key at all."""
        return bool(self.jkt or self.x5t_s256)


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """What a pinned issuer signed, for this audience, in force now.

    Every claim of the token is accounted for: read into a field by its profile, or
    named in `unchecked`. The leaves of all of them stand in `leaves`.

    Attributes:
        token_type: What the token was verified as.
        issuer: Name of the issuer in the configuration.
        iss: As in the token; of a JWT-SVID its trust domain, `spiffe://DOMAIN`.
        sub: As in the token.
        aud: The one audience.
        exp: NumericDate.
        iat: NumericDate. Where a JWT-SVID has none: when it could have been taken first.
        nbf: NumericDate, None where not said.
        jti: Empty where not said.
        client_id: Empty where not said.
        scope: Scope tokens as ordered in the token (RFC 6749 3.3).
        cnf: The key a presenter has to hold; not bound where not said.
        act: The actors.
        kid: Key that signed.
        alg: Algorithm of that key.
        leaves: Every scalar of every claim, with its path. A list of scalars is one
            leaf. What lies deeper in lists, null and fractions are not read.
        unchecked: Names of the claims that no profile asked for, sorted.
        token_sha256: Digest of the token, 32 bytes: what evidence names it by.
        payload_sha256: Digest of the payload as it is signed, 32 bytes. It names the
            token even where another signature of the same issuer verifies, too.
    """

    token_type: TokenType
    issuer: str
    iss: str
    sub: str
    aud: str
    exp: int
    iat: int
    nbf: int | None
    jti: str
    client_id: str
    scope: tuple[str, ...]
    cnf: Confirmation
    act: ActChain
    kid: str
    alg: str
    leaves: tuple[tuple[ClaimPath, Scalar | tuple[Scalar, ...]], ...]
    unchecked: tuple[str, ...]
    token_sha256: bytes
    payload_sha256: bytes

    def leaf(self, *path: str) -> Scalar | tuple[Scalar, ...] | None:
        """Find a leaf by its path, None where there is none."""
        return next((value for at, value in self.leaves if at == path), None)


@dataclass(frozen=True, slots=True)
class Presented:
    """How a token came: what its presenter showed beside it.

    Attributes:
        scheme: `Bearer` or `DPoP`, as in the Authorization field.
        method: Method of the request.
        url: URL of the request as its client sees it, from our own configuration and
            the request line, never from a forwarding field.
        proofs: Every DPoP field of the request, unverified.
        certificate: DER of the client certificate of the TLS connection, else empty.
    """

    scheme: str
    method: str
    url: str
    proofs: tuple[str, ...] = ()
    certificate: bytes = b""


class Binding(StrEnum):
    """By what a presenter showed that the token is its own."""

    DPOP = "dpop"
    MTLS = "mtls"
    BOTH = "dpop+mtls"
    BEARER = "bearer"  # by nothing: whoever holds the token presents it


@dataclass(frozen=True, slots=True)
class Proof:
    """A DPoP proof that holds, for the replay store to see once.

    Attributes:
        jkt: RFC 7638 thumbprint of the key that signed it.
        jti: Unique to the proof; the caller refuses the pair (jkt, jti) seen before.
        iat: NumericDate.
        expires: NumericDate after which the proof is refused for its age; the pair
            has to be remembered until then.
    """

    jkt: str
    jti: str
    iat: int
    expires: int


@dataclass(frozen=True, slots=True)
class SenderConstrained:
    """The answer to: does the presenter hold the key the token is bound to?

    Attributes:
        binding: By what it showed so.
        proof: The DPoP proof, None where there was none.
    """

    binding: Binding
    proof: Proof | None = None
