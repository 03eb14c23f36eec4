"""Exception classes, by what the caller can do about each.

    AnswerableError
    ├── UsageError             the arguments or the query are invalid       exit 2
    │   ├── IdError            a text is not an id of the expected kind
    │   ├── UnknownNameError   nothing that is stored has the name; exit 3 while
    │   │                      events cannot be read, which may have it
    │   └── AmbiguousError     a name matches several things; they are listed
    ├── ParseError             input bytes do not have the expected form
    ├── PartialError           a source could not be read completely        exit 3
    ├── VerificationError      evidence is not valid                        exit 1
    │   └── DerivedFileError   a derived file is damaged: run the query again
    └── EnvironmentFailure     disk, permission, newer store, network       exit 5
        ├── RemovedFileError   a derived file was removed: run the query again
        └── SessionExpired     the caller's own platform session expired

A message says what happened, got and expected; `hint` says the next step. Neither ever
contains a secret: show a fingerprint or a four-character hint instead.
"""


class AnswerableError(Exception):
    """Base class of all errors raised on purpose.

    Args:
        message: One line: what went wrong (got ..., expected ...).
        hint: One line: what to do next; may be empty.
    """

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(AnswerableError):
    """Invalid arguments or query."""


class IdError(UsageError):
    """Text that is not an id of the expected kind."""


class UnknownNameError(UsageError):
    """Name or id that nothing stored has."""


class AmbiguousError(UsageError):
    """Name that matches several things; `candidates` lists their ids."""

    def __init__(self, message: str, candidates: tuple[str, ...]) -> None:
        super().__init__(message, "use one of: " + ", ".join(candidates))
        self.candidates = candidates


class ParseError(AnswerableError):
    """Input bytes that do not have the expected form.

    Args:
        message: Expected and found form, without any value.
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
    """Incomplete read of a source; the read part is kept."""


class VerificationError(AnswerableError):
    """Invalid evidence; the message names the first invalid record."""


class DerivedFileError(VerificationError):
    """Damaged derived file, found while it was read; the next query derives it again."""


class EnvironmentFailure(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """Failure of the environment: disk full, no permission, newer store, no network."""


class RemovedFileError(EnvironmentFailure):
    """Derived file that another process removed while it was read: it is outdated."""


class SessionExpired(EnvironmentFailure):
    """Expired platform session of the caller; the collected part is kept."""
