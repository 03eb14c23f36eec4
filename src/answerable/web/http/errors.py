"""HTTP errors with status, reason code and message for the client."""

from answerable.model.errors import (
    AnswerableError,
    EnvironmentFailure,
    UsageError,
    VerificationError,
)
from answerable.web.routing import StateConflict


class RequestRejected(Exception):  # noqa: N818 - an outcome, no fault
    """A rejected request.

    Args:
        says: Message; quotes nothing of the request.
        hint: Next step, may be empty.
        link: Page of the next step, may be empty.
    """

    def __init__(
        self, status: int, why: str, says: str, hint: str = "", link: str = ""
    ) -> None:
        super().__init__(why)
        self.status, self.why, self.says = status, why, says
        self.hint, self.link = hint, link


def build_not_found_error() -> RequestRejected:
    """Return a 404 error; hidden things are reported as not found, too."""
    says = "not found, or not visible to you"
    return RequestRejected(404, "nothing-here", says)


def build_session_error() -> RequestRejected:
    """Return the error for a form that was sent after the end of its session."""
    return RequestRejected(
        401,
        "session-ended",
        "you are not signed in (any more), so nothing was recorded",
        "sign in, come back to this tab, and send the values below again",
        "/sign-in",
    )


def convert_use_case_error(error: AnswerableError) -> RequestRejected:
    """Convert an error of a use case to an HTTP error with a status."""
    if isinstance(error, UsageError):
        status, why = 400, "usage"
    elif isinstance(error, VerificationError):
        status, why = 409, "not-verified"
    elif isinstance(error, EnvironmentFailure):
        status, why = 503, "environment"
    else:
        status, why = 500, "failed"
    link = error.link if isinstance(error, StateConflict) else ""
    return RequestRejected(status, why, error.message, error.hint, link)
