"""Why a sign-in ended without anybody being signed in."""

from answerable.model.errors import VerificationError


class LoginRefused(VerificationError):  # noqa: N818 - an outcome
    """What came back does not hold, or says no; the message never holds any of it."""
