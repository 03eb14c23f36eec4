"""Exchanges: what a workload asks of the token service, and what became of it.

What is asked comes from the requester and is bounded by rules alone. There is no field
for a reason: whatever else a request carries is left unread.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.claims import TokenType


class GrantType(StrEnum):
    """`grant_type` of the token endpoint."""

    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    CLIENT_CREDENTIALS = "client_credentials"


class OAuthError(StrEnum):
    """What the wire says (RFC 6749 5.2, RFC 8693 2.2.2, RFC 9449 5); no more."""

    INVALID_REQUEST = "invalid_request"
    INVALID_CLIENT = "invalid_client"
    INVALID_GRANT = "invalid_grant"
    INVALID_TARGET = "invalid_target"
    INVALID_SCOPE = "invalid_scope"
    UNAUTHORIZED_CLIENT = "unauthorized_client"
    UNSUPPORTED_GRANT_TYPE = "unsupported_grant_type"
    INVALID_DPOP_PROOF = "invalid_dpop_proof"
    USE_DPOP_NONCE = "use_dpop_nonce"
    SERVER_ERROR = "server_error"
    TEMPORARILY_UNAVAILABLE = "temporarily_unavailable"


# Token types of our own (RFC 8693 3): a ticket of a parent agent, and nothing shown but
# the connection, which the kernel vouches for.
TICKET = "urn:answerable:token-type:ticket"
PEER = "urn:answerable:token-type:peer"


@dataclass(frozen=True, slots=True, repr=False)
class TokenRequest:
    """One request of the token endpoint, read and bounded; its tokens are unverified.

    Attributes:
        grant_type: As asked.
        unverified_subject: Subject token or assertion; empty for the peer of a socket.
        subject_type: What it is said to be: a token type identifier.
        unverified_actor: Actor token, empty without one.
        actor_type: Likewise.
        requested_type: What is asked for.
        audience: `audience` or `resource`; empty where neither was said.
        scopes: As asked, in order.
        client_id: As shown; it names nobody by itself.
    """

    grant_type: GrantType
    unverified_subject: str
    subject_type: str
    unverified_actor: str
    actor_type: str
    requested_type: TokenType
    audience: str
    scopes: tuple[str, ...]
    client_id: str


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why nothing was given.

    Attributes:
        error: What the wire says.
        reason: What did not hold: a word for the evidence and the operator.
        detail: Which claim, rule or bound; names only, never a value of a token.
    """

    error: OAuthError
    reason: str
    detail: str = ""
