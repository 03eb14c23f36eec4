"""Error for a failed OpenID Connect sign-in."""

from answerable.model.errors import VerificationError


class LoginFailed(VerificationError):  # noqa: N818 - an outcome
    """The provider's answer is invalid or a refusal; the message never quotes it."""
