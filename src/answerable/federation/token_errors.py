"""Errors of token verification: each class tells the caller how to answer.

  TokenRejected              reject; on the wire `invalid_token`
  ├── TokenMalformed        not a token; a server may answer 400
  ├── TokenExpired          the client may get a new token
  ├── UnknownKey            refresh the issuer's keys, then retry once
  ├── ProofRejected          the presenter did not prove possession
  └── NonceRequired         the client may retry with our nonce
  KeySetRejected             keep the last good key set

A reason is a code for evidence and for owners. The wire gets `wire`, the same for every
reason of a class, and no message contains a part of a token.
"""

from enum import StrEnum
from typing import ClassVar

from answerable.model.errors import AnswerableError


class TokenFault(StrEnum):
    """Reason code of a rejected token, proof or key set."""

    # The text
    SIZE = "size"
    SEGMENTS = "segments"
    ENCODING = "encoding"
    JSON = "json"
    DUPLICATE_MEMBER = "duplicate-member"
    DEPTH = "depth"
    NUMBER = "number"
    # The header
    ALG = "alg"
    CRIT = "crit"
    B64 = "b64"
    TYP = "typ"
    KID = "kid"
    # Issuer and key
    ISSUER = "issuer"
    TOKEN_TYPE = "token-type"  # noqa: S105 - a name
    KEY_UNKNOWN = "key-unknown"
    KEY_KILLED = "key-killed"
    SIGNATURE = "signature"
    # The claims
    CLAIM_MISSING = "claim-missing"
    CLAIM_TYPE = "claim-type"
    CLAIM_FORBIDDEN = "claim-forbidden"
    AUDIENCE = "audience"
    AUTHORIZED_PARTY = "azp"
    EXPIRED = "expired"
    NOT_YET = "not-yet"
    LIFETIME = "lifetime"
    ACT_SHAPE = "act-shape"
    ACT_DEPTH = "act-depth"
    ACT_CYCLE = "act-cycle"
    # The presenter
    CNF_UNKNOWN = "cnf-unknown"
    SCHEME = "scheme"
    BEARER = "bearer"
    CERTIFICATE = "certificate"
    PROOF_COUNT = "proof-count"
    PROOF_KEY = "proof-key"
    PROOF_METHOD = "htm"
    PROOF_URL = "htu"
    PROOF_AGE = "proof-age"
    PROOF_TOKEN = "ath"  # noqa: S105 - a name
    THUMBPRINT = "jkt"
    NONCE = "nonce"
    REPLAYED = "replayed"
    TOO_MANY_PROOFS = "too-many-proofs"
    # A key set
    KEY_COUNT = "key-count"
    KEY_SHAPE = "key-shape"
    KEY_PRIVATE = "key-private"
    KEY_SYMMETRIC = "key-symmetric"
    KEY_DUPLICATE = "kid-duplicate"
    KEY_TYPE = "key-type"
    KEY_USE = "key-use"
    KEY_ALG = "key-alg"
    KEY_WEAK = "key-weak"
    KEY_POINT = "key-point"


class FederationError(AnswerableError):
    """Base of the errors in this package.

    Args:
        message: The expectation; never a value of the token.
    """

    def __init__(self, reason: TokenFault, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TokenRejected(FederationError):  # noqa: N818 - reads as the refusal it is
    """The token is rejected."""

    wire: ClassVar[str] = "invalid_token"  # RFC 6750 3.1


class TokenMalformed(TokenRejected):
    """The text is not a token."""


class TokenExpired(TokenRejected):
    """The token has expired."""


class UnknownKey(TokenRejected):
    """The known keys of a pinned issuer lack this kid.

    Args:
        issuer: Its name in the configuration.
    """

    def __init__(self, issuer: str) -> None:
        super().__init__(TokenFault.KEY_UNKNOWN, "expected a key of the issuer's set")
        self.issuer = issuer


class ProofRejected(TokenRejected):
    """The presenter did not prove possession of the token's key."""


class NonceRequired(ProofRejected):
    """The proof has no nonce of ours, or a stale one."""

    wire: ClassVar[str] = "use_dpop_nonce"  # RFC 9449 8


class KeySetRejected(FederationError):  # noqa: N818 - reads as the refusal it is
    """The whole key set is rejected."""
