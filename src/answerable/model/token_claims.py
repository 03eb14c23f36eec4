"""Types of verified token claims, in the terms of RFC 7519, 8693, 8705 and 9449.

Anyone can write a token's text. `federation.token_verification` is the one function that turns it
into `SignedClaims`. Times are NumericDate (RFC 7519 2): whole seconds since 1970, UTC.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.provenance import WrittenBy

# Type of a claim's leaf; null is excluded.
ClaimScalar = str | int | bool
# Path of a claim: one name for a top-level claim, more for nested members.
ClaimPath = tuple[str, ...]


class TokenType(StrEnum):
    """Token type identifier (RFC 8693 3)."""

    ACCESS_TOKEN = "urn:ietf:params:oauth:token-type:access_token"  # noqa: S105 - a name
    ID_TOKEN = "urn:ietf:params:oauth:token-type:id_token"  # noqa: S105 - a name
    JWT = "urn:ietf:params:oauth:token-type:jwt"
    ID_JAG = "urn:ietf:params:oauth:token-type:id-jag"
    # SPIFFE has no name for it in an exchange; on the wire it may come as a JWT, too.
    JWT_SVID = "urn:answerable:token-type:jwt-svid"


@dataclass(frozen=True, slots=True)
class TrustedIssuer:
    """Trusted issuer, pinned by the operator.

    Attributes:
        name: Its name in the configuration.
        iss: The `iss` of its tokens, compared byte for byte; `spiffe://DOMAIN` for a
            trust domain, whose tokens are JWT-SVIDs and are known by their `sub`.
        algs: Algorithms its keys may be used with, e.g. `("RS256",)`.
        token_types: Accepted token types.
        max_ttl: Maximum time from `iat` to `exp`, seconds.
        jti_required: Refuse its tokens without `jti`.
        ours: True for our own token service, whose `act` claim is trusted.
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
    """Actor of an `act` claim (RFC 8693 4.1).

    Attributes:
        sub: Its subject.
        iss: Issuer of that subject, empty where absent.
        entity: Entity id that our own token service adds, empty where absent.
    """

    sub: str
    iss: str = ""
    entity: str = ""


@dataclass(frozen=True, slots=True)
class ActChain:
    """Actor chain of a token; trusted only if we issued the token.

    Attributes:
        actors: Newest first, as the claim nests them.
        written_by: `mediator` for our own tokens, else `self-reported`.
    """

    actors: tuple[Actor, ...]
    written_by: WrittenBy


@dataclass(frozen=True, slots=True)
class Confirmation:
    """`cnf` claim: the key that a presenter must hold (RFC 7800 3.1).

    Attributes:
        jkt: RFC 7638 thumbprint of a DPoP key (RFC 9449 6.1), empty where none.
        x5t_s256: SHA-256 of a certificate, base64url (RFC 8705 3.1), empty where none.
    """

    jkt: str = ""
    x5t_s256: str = ""

    @property
    def is_bound_to_key(self) -> bool:
        """Return whether `cnf` binds the token to a key (DPoP or mTLS)."""
        return bool(self.jkt or self.x5t_s256)


@dataclass(frozen=True, slots=True)
class SignedClaims:
    """Claims of a verified, current token from a trusted issuer for this audience.

    Every claim of the token is either read into a field by its profile or named in
    `unchecked`. `leaves` lists the leaves of all claims.

    Attributes:
        token_type: Type it was verified as.
        issuer: Name of the issuer in the configuration.
        iss: As in the token; of a JWT-SVID its trust domain, `spiffe://DOMAIN`.
        sub: As in the token.
        aud: The one audience.
        exp: NumericDate.
        iat: NumericDate. Where a JWT-SVID has none: when it could have been taken
            first.
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
    leaves: tuple[tuple[ClaimPath, ClaimScalar | tuple[ClaimScalar, ...]], ...]
    unchecked: tuple[str, ...]
    token_sha256: bytes
    payload_sha256: bytes

    def find_claim_at_path(
        self, *path: str
    ) -> ClaimScalar | tuple[ClaimScalar, ...] | None:
        """Return the claim at a path; None if the token does not have it."""
        return next((value for at, value in self.leaves if at == path), None)


@dataclass(frozen=True, slots=True)
class TokenPresentation:
    """Presentation of a token: the request, its DPoP proofs and its certificate.

    Attributes:
        scheme: `Bearer` or `DPoP`, as in the Authorization field.
        method: Method of the request.
        url: URL of the request from the client's view, built from our own configuration
            and the request line, never from a forwarding field.
        proofs: Every DPoP field of the request, unverified.
        certificate: DER of the client certificate of the TLS connection, else empty.
    """

    scheme: str
    method: str
    url: str
    proofs: tuple[str, ...] = ()
    certificate: bytes = b""


class SenderBinding(StrEnum):
    """Proof of possession that a presenter gave."""

    DPOP = "dpop"
    MTLS = "mtls"
    BOTH = "dpop+mtls"
    BEARER = "bearer"  # no proof of possession


@dataclass(frozen=True, slots=True)
class DpopProof:
    """Valid DPoP proof, to be checked against the replay cache.

    Attributes:
        jkt: RFC 7638 thumbprint of the key that signed it.
        jti: Unique id; the caller rejects a repeated pair (jkt, jti).
        iat: NumericDate.
        expires: NumericDate after which the proof is too old; the replay cache keeps
            the pair until then.
    """

    jkt: str
    jti: str
    iat: int
    expires: int


@dataclass(frozen=True, slots=True)
class SenderConstrained:
    """Result of the sender-constraint check (RFC 9449, RFC 8705).

    Attributes:
        binding: Proof of possession given.
        proof: The DPoP proof, None where there was none.
    """

    binding: SenderBinding
    proof: DpopProof | None = None
