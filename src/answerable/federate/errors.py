"""Why a token is refused: a class for each thing a caller can do about it.

    TokenRefused              do not serve; the wire says `invalid_token`
    ├── TokenMalformed        this is no token; a door may answer 400
    ├── TokenExpired          the client may fetch another
    ├── KeyUnknown            read the issuer's keys again, then try once more
    ├── ProofRefused          the token may be good, its presenter did not show so
    └── NonceRequired         the client may sign again, with our nonce
    KeySetRefused             keep the last good key set

A reason is a code for evidence and for the owner's eyes. The wire gets `wire`, the same
for every reason of a class, and no message holds a part of a token.
"""

from enum import StrEnum
from typing import ClassVar

from answerable.model.errors import AnswerableError


class Reason(StrEnum):
    """What did not hold."""

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
    # Who and whose
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


class FederateError(AnswerableError):
    """What this room refuses.

    Args:
        reason: The code.
        message: What was expected; never a value of the token.
    """

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(message)
        self.reason = reason


class TokenRefused(FederateError):  # noqa: N818 - reads as the refusal it is
    """The token is not to be served."""

    wire: ClassVar[str] = "invalid_token"  # RFC 6750 3.1


class TokenMalformed(TokenRefused):
    """The text is no token."""


class TokenExpired(TokenRefused):
    """The token was good, and is no more."""


class KeyUnknown(TokenRefused):
    """The issuer is pinned, and its keys as we know them lack this one.

    Args:
        issuer: Its name in the configuration.
    """

    def __init__(self, issuer: str) -> None:
        super().__init__(Reason.KEY_UNKNOWN, "expected a key of the issuer's set")
        self.issuer = issuer


class ProofRefused(TokenRefused):
    """The presenter did not show that the token is its own."""


class NonceRequired(ProofRefused):
    """The proof carries no nonce of ours, or an old one."""

    wire: ClassVar[str] = "use_dpop_nonce"  # RFC 9449 8


class KeySetRefused(FederateError):  # noqa: N818 - reads as the refusal it is
    """A key set is not to be used; none of its keys is."""
