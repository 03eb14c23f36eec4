"""Types of token requests to the token service, and of their refusals.

A request comes from the requester and is bounded by rules alone. It has no field for a
reason; other parameters are ignored.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.token_claims import TokenType


class GrantType(StrEnum):
    """`grant_type` of the token endpoint."""

    TOKEN_EXCHANGE = "urn:ietf:params:oauth:grant-type:token-exchange"  # noqa: S105 - a name
    JWT_BEARER = "urn:ietf:params:oauth:grant-type:jwt-bearer"
    CLIENT_CREDENTIALS = "client_credentials"


class OAuthError(StrEnum):
    """Error code of the OAuth response (RFC 6749 5.2, RFC 8693 2.2.2, RFC 9449 5)."""

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


# Our own token types (RFC 8693 3): a ticket of a parent agent, and the peer of a unix
# socket, which the kernel identifies.
TICKET_TYPE_URI = "urn:answerable:token-type:ticket"
PEER_TYPE_URI = "urn:answerable:token-type:peer"


@dataclass(frozen=True, slots=True, repr=False)
class TokenRequest:
    """Request to the token endpoint, parsed and bounded; its tokens are unverified.

    Attributes:
        unverified_subject: Subject token or assertion; empty for the peer of a socket.
        subject_type: Stated token type identifier of the subject token.
        unverified_actor: Actor token, empty without one.
        actor_type: Stated token type identifier of the actor token.
        requested_type: Requested token type.
        audience: `audience` or `resource`; empty where both are absent.
        scopes: Requested scopes, in order.
        client_id: As sent; it authenticates nothing by itself.
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
class TokenRequestRefusal:
    """Refusal of a token request.

    Attributes:
        error: Code of the OAuth response.
        reason: Failed check: a word for the evidence and the operator.
        detail: Name of the claim, rule or limit; never a value of a token.
    """

    error: OAuthError
    reason: str
    detail: str = ""
