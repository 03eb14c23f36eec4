"""Every error a caller can act on.

    AnswerableError
    ├── UsageError             the question cannot be asked that way        exit 2
    │   ├── IdError            a text is not an id of the kind asked for
    │   └── AmbiguousError     a name fits several things; they are listed
    ├── ParseError             foreign bytes do not say what they should
    ├── PartialError           a source could not be read whole             exit 3
    ├── VerificationError      evidence does not hold                       exit 1
    └── EnvironmentRefused     disk, permission, newer store, network       exit 5
        └── SessionExpired     the caller's own session at a platform is over

A message says what, got and expected; `hint` says the next step. Neither ever holds a
secret: show a fingerprint or a four-character hint instead.
"""


class AnswerableError(Exception):
    """Root of all errors raised on purpose.

    Args:
        message: One line: what went wrong (got ..., expected ...).
        hint: One line: what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AnswerableError):
    """The question cannot be asked that way."""


class IdError(UsageError):
    """A text is not an id of the kind asked for."""


class AmbiguousError(UsageError):
    """A name fits several things; `candidates` lists their ids."""

    def __init__(self, message: str, candidates: tuple[str, ...]) -> None:
        super().__init__(message, "use one of: " + ", ".join(candidates))
        self.candidates = candidates


class ParseError(AnswerableError):
    """Foreign bytes do not say what they should.

    Args:
        message: What was expected and what stood there, without any value.
        place: File or API call, as the user would name it.
        offset: Byte or character offset, -1 when unknown.
        field: Path of the field inside the document, empty when unknown.
    """

    def __init__(
        self, message: str, place: str = "", offset: int = -1, field: str = ""
    ) -> None:
        where = place + (f" at {field}" if field else "")
        where += f" (offset {offset})" if offset >= 0 else ""
        super().__init__(f"{where}: {message}" if where else message)
        self.reason = message
        self.place = place
        self.offset = offset
        self.field = field


class PartialError(AnswerableError):
    """A source could not be read whole; what was read is kept."""


class VerificationError(AnswerableError):
    """Evidence does not hold; the message names the first record that does not."""


class EnvironmentRefused(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """The machine said no: disk full, no permission, newer store, no network."""


class SessionExpired(EnvironmentRefused):
    """The caller's own session at a platform is over; what was collected is kept."""
