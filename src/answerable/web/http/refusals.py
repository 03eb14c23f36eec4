"""Why a request is not answered as asked, in words for whoever sent it."""

from answerable.model.errors import (
    AnswerableError,
    EnvironmentRefused,
    UsageError,
    VerificationError,
)


class Refused(Exception):  # noqa: N818 - what becomes of a request, no fault
    """A request is refused.

    Args:
        status: Of HTTP.
        why: A word of ours, for counting.
        says: For whoever sent it; nothing that they sent is in it.
        hint: What to do next, may be empty.
    """

    def __init__(self, status: int, why: str, says: str, hint: str = "") -> None:
        super().__init__(why)
        self.status, self.why, self.says, self.hint = status, why, says, hint


def nothing_here() -> Refused:
    """Refuse as where nothing is: told of what one may not see, too."""
    says = "there is nothing at this address, or nothing that you may see"
    return Refused(404, "nothing-here", says)


def refused_by(error: AnswerableError) -> Refused:
    """Tell an error of a flow as an answer."""
    if isinstance(error, UsageError):
        status, why = 400, "usage"
    elif isinstance(error, VerificationError):
        status, why = 409, "not-verified"
    elif isinstance(error, EnvironmentRefused):
        status, why = 503, "environment"
    else:
        status, why = 500, "failed"
    return Refused(status, why, error.message, error.hint)
