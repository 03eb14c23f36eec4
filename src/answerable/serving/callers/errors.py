"""Why nobody is known to call, and what the door answers or does then.

The wire hears one word of RFC 6750 or RFC 9449 and never which check failed; `reason`
is for evidence. No message holds a part of a token or a proof.
"""

from enum import StrEnum

from answerable.model.errors import AnswerableError


class Cause(StrEnum):
    """What is missing, beside the reasons that `federate` has for a token."""

    NOTHING_SHOWN = "nothing-shown"
    NO_KEYS = "no-keys"  # the issuer's keys cannot be had now


class Unidentified(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """Nobody is known to call; the request goes no further.

    Args:
        challenge: Value of WWW-Authenticate; empty where nothing could be shown here.
        status: HTTP status.
        reason: What did not hold, a word for evidence.
        nonce: Value of DPoP-Nonce (RFC 9449 9), empty where none is asked for.
    """

    def __init__(
        self, challenge: str, status: int, reason: str, nonce: str = ""
    ) -> None:
        super().__init__(f"no caller: {reason}")
        self.challenge = challenge
        self.status = status
        self.reason = reason
        self.nonce = nonce


class KeysNeeded(AnswerableError):  # noqa: N818 - tells the door what to do
    """The issuer's keys have to be fetched before its token can be judged.

    Args:
        issuer: Its name in the configuration.
    """

    def __init__(self, issuer: str) -> None:
        super().__init__(f"the keys of issuer {issuer} are not here yet")
        self.issuer = issuer
