"""HTTP errors as problem documents (RFC 9457), for requests that are not evaluated.

The status says what is wrong with the request or its sender. A denial is not an error:
it is answered with 200 (AuthZEN 10.1.2).
"""

import msgspec

from answerable.model.errors import AnswerableError

PROBLEM_TYPE = "application/problem+json"
# Of HTTP (RFC 9110 15, RFC 6585): what each is called.
TITLES = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    413: "Content Too Large",
    421: "Misdirected Request",
    429: "Too Many Requests",
    500: "Internal Server Error",
    503: "Service Unavailable",
}


class ProblemResponse(AnswerableError):  # noqa: N818 - reads as what it is
    """A request that is not evaluated.

    Args:
        reason: Reason code for evidence.
        says: One sentence for the client; it quotes nothing of the request.
    """

    def __init__(
        self, status: int, reason: str, says: str, fields: dict[str, str] | None = None
    ) -> None:
        super().__init__(says)
        self.status = status
        self.why = reason
        self.fields = fields or {}

    def body(self) -> bytes:
        """Return the problem document."""
        return msgspec.json.encode(
            {
                "type": "about:blank",
                "title": TITLES[self.status],
                "status": self.status,
                "detail": self.message,
            }
        )


class MalformedRequest(ProblemResponse):
    """The whole payload is malformed."""

    def __init__(self, says: str, reason: str = "malformed") -> None:
        super().__init__(400, reason, says)


class MissingKey(MalformedRequest):
    """A required key is missing; in a batch this concerns one evaluation."""

    def __init__(self, path: str) -> None:
        super().__init__(f"{path} is required", "missing-key")
