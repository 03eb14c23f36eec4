"""Denials of an exchange: a detailed reason for evidence, an OAuth error on the wire.

The wire gets only RFC 6749 codes, so that a requester cannot probe claims and bounds.
"""

from enum import StrEnum

from answerable.model.exchange import OAuthError, Refusal


class Why(StrEnum):
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
        (Why.SIZE, Why.FORM, Why.DUPLICATE_PARAMETER, Why.PARAMETER, Why.TOKEN_TYPE),
        _REQUEST,
    ),
    Why.GRANT_TYPE: OAuthError.UNSUPPORTED_GRANT_TYPE,
    Why.TARGET: OAuthError.INVALID_TARGET,
    Why.AUDIENCE: OAuthError.INVALID_TARGET,
    Why.SCOPE: OAuthError.INVALID_SCOPE,
    Why.SCOPE_BEYOND: OAuthError.INVALID_SCOPE,
    Why.CLIENT: OAuthError.INVALID_CLIENT,
    Why.EVALUATION: OAuthError.SERVER_ERROR,
}


def refusal(why: Why, detail: str = "") -> Refusal:
    """Build a refusal.

    Args:
        detail: The claim, parameter, rule or agent; never a value of a token.
    """
    return Refusal(_WIRE.get(why, OAuthError.INVALID_GRANT), why.value, detail)


class Refused(Exception):  # noqa: N818 - an answer between modules, not an outcome
    """Control-flow exception that carries a refusal."""

    def __init__(self, why: Why, detail: str = "") -> None:
        super().__init__(why.value)
        self.refusal = refusal(why, detail)
