"""HTTP errors with messages for the client."""

from answerable.model.errors import (
    AnswerableError,
    EnvironmentRefused,
    UsageError,
    VerificationError,
)


class Refused(Exception):  # noqa: N818 - what becomes of a request, no fault
    """A rejected request.

    Args:
        says: Message; quotes nothing of the request.
        hint: Next step, may be empty.
    """

    def __init__(self, status: int, why: str, says: str, hint: str = "") -> None:
        super().__init__(why)
        self.status, self.why, self.says, self.hint = status, why, says, hint


def nothing_here() -> Refused:
    """Return a 404, also for what the visitor may not see."""
    says = "there is nothing at this address, or nothing that you may see"
    return Refused(404, "nothing-here", says)


def refused_by(error: AnswerableError) -> Refused:
    """Convert an error of a use case."""
    if isinstance(error, UsageError):
        status, why = 400, "usage"
    elif isinstance(error, VerificationError):
        status, why = 409, "not-verified"
    elif isinstance(error, EnvironmentRefused):
        status, why = 503, "environment"
    else:
        status, why = 500, "failed"
    return Refused(status, why, error.message, error.hint)
