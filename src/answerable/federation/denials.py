"""Map each denial of a token exchange to an OAuth error and an evidence reason.

The wire gets only RFC 6749 codes, so that a requester cannot probe claims and bounds.
"""

from enum import StrEnum

from answerable.model.token_request import OAuthError, TokenRequestRefusal


class DenialReason(StrEnum):
    """Reason of a denied exchange."""

    # The request
    SIZE = "size"
    FORM = "form"
    DUPLICATE_PARAMETER = "duplicate-parameter"
    GRANT_TYPE = "grant-type"
    PARAMETER = "parameter"
    TOKEN_TYPE = "token-type"  # noqa: S105 - a name
    TARGET = "target"
    SCOPE = "scope"
    # Requester
    ISSUER_DISABLED = "issuer-disabled"
    NO_RULE = "no-rule"
    AMBIGUOUS = "ambiguous"
    PERSON_ALONE = "person-alone"
    NO_PERSON = "no-person"
    OTHER_ACCOUNT = "other-account"  # the address was another account's before
    NOT_ON_BEHALF = "not-on-behalf"
    ACTOR = "actor"
    CLIENT = "client"
    NO_OWNER = "no-attested-owner"
    OWNER_CHANGED = "owner-changed"
    KILLED = "killed"
    # Proof of possession
    BINDING = "binding"
    OTHER_KEY = "other-key"
    # Delegation
    NOT_THE_RECORD = "not-the-record"
    RULE_CHANGED = "rule-changed"
    EXPIRED = "expired"
    TICKET_NEEDED = "ticket-needed"
    NOT_A_CALL = "not-a-call"  # a gateway asks for what no call of its own shows
    PAIR = "pair"
    CYCLE = "cycle"
    DEPTH = "depth"
    # Granted token
    AUDIENCE = "audience"
    SCOPE_BEYOND = "scope-beyond"
    TTL = "ttl"
    TOO_LARGE = "too-large"
    EVALUATION = "evaluation"


_REQUEST = OAuthError.INVALID_REQUEST
_WIRE = {
    **dict.fromkeys(
        (
            DenialReason.SIZE,
            DenialReason.FORM,
            DenialReason.DUPLICATE_PARAMETER,
            DenialReason.PARAMETER,
            DenialReason.TOKEN_TYPE,
        ),
        _REQUEST,
    ),
    DenialReason.GRANT_TYPE: OAuthError.UNSUPPORTED_GRANT_TYPE,
    DenialReason.TARGET: OAuthError.INVALID_TARGET,
    DenialReason.AUDIENCE: OAuthError.INVALID_TARGET,
    DenialReason.SCOPE: OAuthError.INVALID_SCOPE,
    DenialReason.SCOPE_BEYOND: OAuthError.INVALID_SCOPE,
    DenialReason.CLIENT: OAuthError.INVALID_CLIENT,
    DenialReason.EVALUATION: OAuthError.SERVER_ERROR,
}


def build_refusal(reason: DenialReason, detail: str = "") -> TokenRequestRefusal:
    """Build the refusal of a token request: OAuth error, reason and detail.

    Args:
        detail: The claim, parameter, rule or agent; never a value of a token.
    """
    return TokenRequestRefusal(
        _WIRE.get(reason, OAuthError.INVALID_GRANT), reason.value, detail
    )


class ExchangeDenied(Exception):  # noqa: N818 - an answer between modules, not an outcome
    """Control-flow exception that carries a refusal."""

    def __init__(self, why: DenialReason, detail: str = "") -> None:
        super().__init__(why.value)
        self.refusal = build_refusal(why, detail)
