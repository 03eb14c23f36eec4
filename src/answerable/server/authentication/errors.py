"""Errors of caller authentication, with status and challenge of the response.

The client gets one error code of RFC 6750 or RFC 9449 and never the failed check;
`reason` is for evidence. No message contains a part of a token or a proof.
"""

from enum import StrEnum

from answerable.model.errors import AnswerableError


class UnauthenticatedReason(StrEnum):
    """Reason without a token; `federate` has the reasons of an invalid token."""

    NOTHING_SHOWN = "nothing-shown"
    NO_KEYS = "no-keys"  # the issuer's keys cannot be had now


class Unauthenticated(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """Caller that is not authenticated; the request is refused.

    Args:
        challenge: Value of WWW-Authenticate; empty where no credential would help.
        reason: Failed check, a word for evidence.
        nonce: Value of DPoP-Nonce (RFC 9449 9), empty where none is required.
    """

    def __init__(
        self, challenge: str, status: int, reason: str, nonce: str = ""
    ) -> None:
        super().__init__(f"no caller: {reason}")
        self.challenge = challenge
        self.status = status
        self.reason = reason
        self.nonce = nonce


class IssuerKeysNeeded(AnswerableError):  # noqa: N818 - an instruction to the server
    """Issuer keys that must be fetched before its token can be verified.

    Args:
        issuer: Name of the issuer in the configuration.
    """

    def __init__(self, issuer: str) -> None:
        super().__init__(f"the keys of issuer {issuer} are not loaded yet")
        self.issuer = issuer
