"""Define the refusals of requests before a decision, and their responses.

Each reason is a word for the evidence. The caller gets an HTTP status, a JSON-RPC code
and a constant sentence; of the request only its id is echoed, and an unsupported
version, as the schema requires.

Sources, of the MCP specification: 2026-07-28 basic/index "Error Codes" and "_meta",
basic/transports/streamable-http "Security & Endpoint", "Sending Messages", "Protocol
Version Header" and "Server Validation"; of HTTP: RFC 9110 15.5, RFC 6585 5.
"""

from dataclasses import dataclass
from enum import StrEnum

import msgspec

from answerable.model.errors import AnswerableError

PARSE_ERROR = -32700
INVALID_REQUEST = -32600
METHOD_NOT_FOUND = -32601
INVALID_PARAMS = -32602
INTERNAL_ERROR = -32603
HEADER_MISMATCH = -32020
MISSING_CAPABILITY = -32021
UNSUPPORTED_VERSION = -32022

BAD_GATEWAY = 502
NO_CODE = 0  # refused at the HTTP level, without a message to answer


class RefusalReason(StrEnum):
    """Reason of a refusal, as recorded."""

    # HTTP: the head.
    HEAD_TOO_LARGE = "head-too-large"
    TARGET_TOO_LONG = "target-too-long"
    TOO_MANY_FIELDS = "too-many-fields"
    MALFORMED_HEAD = "malformed-head"
    VERSION_OF_HTTP = "version-of-http"
    METHOD_OF_HTTP = "method-of-http"
    TARGET_FORM = "target-form"
    NO_HOST = "no-host"
    REPEATED_FIELD = "repeated-field"
    FIELD_LOOKALIKE = "field-lookalike"
    FIELD_VALUE = "field-value"
    CONNECTION_OPTION = "connection-option"
    MISDIRECTED = "misdirected"
    ORIGIN = "origin"
    EXPECTATION = "expectation"
    CONTENT_TYPE = "content-type"
    CONTENT_CODING = "content-coding"
    NOT_ACCEPTABLE = "not-acceptable"
    UNKNOWN_PATH = "unknown-path"
    # HTTP: the body.
    LENGTH = "length"
    TRANSFER_CODING = "transfer-coding"
    BODY_NOT_EXPECTED = "body-not-expected"
    BODY_TOO_LARGE = "body-too-large"
    CHUNKING = "chunking"
    TRAILERS = "trailers"
    CUT_SHORT = "cut-short"
    # HTTP: limits.
    SLOW = "slow"
    TOO_MANY_CALLS = "too-many-calls"
    TOO_MANY_CONNECTIONS = "too-many-connections"
    # JSON-RPC.
    NOT_JSON = "not-json"
    TOO_DEEP = "too-deep"
    BATCH = "batch"
    NOT_A_MESSAGE = "not-a-message"
    REPEATED_KEY = "repeated-key"
    KEY_LOOKALIKE = "key-lookalike"
    ID_TYPE = "id-type"
    PARAMS_TYPE = "params-type"
    NAME_TYPE = "name-type"
    RESPONSE_NOT_EXPECTED = "response-not-expected"
    # MCP.
    UNSUPPORTED_VERSION = "unsupported-version"
    NO_META = "no-meta"
    CAPABILITY = "capability"
    UNKNOWN_TASK = "unknown-task"
    HEADER_MISMATCH = "header-mismatch"
    UNKNOWN_METHOD = "unknown-method"
    SESSION_ID = "session-id"
    UNKNOWN_SESSION = "unknown-session"
    # Answers of servers.
    EVENT_TOO_LARGE = "event-too-large"
    EVENT_TYPE = "event-type"
    UNASKED = "unasked"
    LIST_TOO_LARGE = "list-too-large"
    REPLY_STATUS = "reply-status"
    REPLY_TYPE = "reply-type"
    REPLY_MALFORMED = "reply-malformed"
    CREDENTIAL = "credential-in-answer"
    UNREACHABLE = "unreachable"
    LOST = "lost"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class RefusalReply:
    """Reply to one reason.

    Attributes:
        code: JSON-RPC error code; NO_CODE for an empty body.
    """

    status: int
    code: int
    says: str


_HTTP_REPLIES = {
    RefusalReason.HEAD_TOO_LARGE: RefusalReply(
        431, NO_CODE, "The head of the request is too large."
    ),
    RefusalReason.TARGET_TOO_LONG: RefusalReply(
        414, NO_CODE, "The request target is too long."
    ),
    RefusalReason.TOO_MANY_FIELDS: RefusalReply(
        431, NO_CODE, "The request has too many fields."
    ),
    RefusalReason.MALFORMED_HEAD: RefusalReply(
        400, NO_CODE, "The head of the request is malformed."
    ),
    RefusalReason.VERSION_OF_HTTP: RefusalReply(
        505, NO_CODE, "Only HTTP/1.1 is supported."
    ),
    RefusalReason.METHOD_OF_HTTP: RefusalReply(
        405, NO_CODE, "Only POST, GET and DELETE are supported."
    ),
    RefusalReason.TARGET_FORM: RefusalReply(
        400, NO_CODE, "The request target must be a path."
    ),
    RefusalReason.NO_HOST: RefusalReply(
        400, NO_CODE, "Exactly one valid Host is required."
    ),
    RefusalReason.REPEATED_FIELD: RefusalReply(
        400, NO_CODE, "A field that must be single is repeated."
    ),
    RefusalReason.FIELD_LOOKALIKE: RefusalReply(
        400, NO_CODE, "A field name resembles another one."
    ),
    RefusalReason.FIELD_VALUE: RefusalReply(
        400, NO_CODE, "A field value contains a forbidden character."
    ),
    RefusalReason.CONNECTION_OPTION: RefusalReply(
        400, NO_CODE, "A connection option is not supported."
    ),
    RefusalReason.MISDIRECTED: RefusalReply(
        421, NO_CODE, "This host is not served here."
    ),
    RefusalReason.ORIGIN: RefusalReply(403, NO_CODE, "This origin is not allowed."),
    RefusalReason.EXPECTATION: RefusalReply(
        417, NO_CODE, "The Expect header must be 100-continue."
    ),
    RefusalReason.CONTENT_TYPE: RefusalReply(
        415, NO_CODE, "The body must be application/json in UTF-8."
    ),
    RefusalReason.CONTENT_CODING: RefusalReply(
        415, NO_CODE, "The body must not be encoded."
    ),
    RefusalReason.NOT_ACCEPTABLE: RefusalReply(
        406, NO_CODE, "Accept must list application/json and text/event-stream."
    ),
    RefusalReason.UNKNOWN_PATH: RefusalReply(
        404, NO_CODE, "Nothing is served at this path."
    ),
    RefusalReason.LENGTH: RefusalReply(
        400, NO_CODE, "Content-Length must be one decimal number."
    ),
    RefusalReason.TRANSFER_CODING: RefusalReply(
        400, NO_CODE, "Only a single chunked coding is supported."
    ),
    RefusalReason.BODY_NOT_EXPECTED: RefusalReply(
        400, NO_CODE, "This method must not have a body."
    ),
    RefusalReason.BODY_TOO_LARGE: RefusalReply(413, NO_CODE, "The body is too large."),
    RefusalReason.CHUNKING: RefusalReply(
        400, NO_CODE, "The chunked coding is malformed."
    ),
    RefusalReason.TRAILERS: RefusalReply(
        400, NO_CODE, "Trailer fields are not supported."
    ),
    RefusalReason.CUT_SHORT: RefusalReply(400, NO_CODE, "The request ended early."),
    RefusalReason.SLOW: RefusalReply(408, NO_CODE, "The request took too long."),
    RefusalReason.TOO_MANY_CALLS: RefusalReply(
        429, NO_CODE, "Too many calls are in flight."
    ),
    RefusalReason.TOO_MANY_CONNECTIONS: RefusalReply(
        503, NO_CODE, "Too many connections are open."
    ),
}

_MESSAGE_REPLIES = {
    RefusalReason.NOT_JSON: RefusalReply(400, PARSE_ERROR, "Parse error."),
    RefusalReason.TOO_DEEP: RefusalReply(
        400, PARSE_ERROR, "The message is nested too deeply."
    ),
    RefusalReason.BATCH: RefusalReply(
        400, INVALID_REQUEST, "The protocol does not support batches."
    ),
    RefusalReason.NOT_A_MESSAGE: RefusalReply(
        400, INVALID_REQUEST, "Not a JSON-RPC 2.0 message."
    ),
    RefusalReason.REPEATED_KEY: RefusalReply(
        400, INVALID_REQUEST, "A key is repeated."
    ),
    RefusalReason.KEY_LOOKALIKE: RefusalReply(
        400, INVALID_REQUEST, "A key resembles another one."
    ),
    RefusalReason.ID_TYPE: RefusalReply(
        400, INVALID_REQUEST, "The id must be a string or an integer."
    ),
    RefusalReason.PARAMS_TYPE: RefusalReply(
        400, INVALID_PARAMS, "The params must be an object."
    ),
    RefusalReason.NAME_TYPE: RefusalReply(
        400, INVALID_PARAMS, "The name must be a string."
    ),
    RefusalReason.RESPONSE_NOT_EXPECTED: RefusalReply(
        400, INVALID_REQUEST, "No response is expected."
    ),
    RefusalReason.UNSUPPORTED_VERSION: RefusalReply(
        400, UNSUPPORTED_VERSION, "Unsupported protocol version."
    ),
    RefusalReason.NO_META: RefusalReply(
        400, INVALID_PARAMS, "The _meta lacks the protocol version or capabilities."
    ),
    RefusalReason.CAPABILITY: RefusalReply(
        400, MISSING_CAPABILITY, "The client has not declared a required capability."
    ),
    # Another caller's task and an unknown one get the same reply.
    RefusalReason.UNKNOWN_TASK: RefusalReply(400, INVALID_PARAMS, "Unknown task."),
    RefusalReason.HEADER_MISMATCH: RefusalReply(
        400,
        HEADER_MISMATCH,
        "Header mismatch: a header field is missing or differs from the body.",
    ),
    RefusalReason.UNKNOWN_METHOD: RefusalReply(
        404, METHOD_NOT_FOUND, "Method not found."
    ),
    RefusalReason.SESSION_ID: RefusalReply(
        400, INVALID_REQUEST, "The session id is malformed."
    ),
    # 404 makes an older client start a new session (2025-11-25 basic/transports).
    RefusalReason.UNKNOWN_SESSION: RefusalReply(
        404, INVALID_REQUEST, "Session not found."
    ),
    RefusalReason.EVENT_TOO_LARGE: RefusalReply(
        502, INTERNAL_ERROR, "The server sent an event that is too large."
    ),
    RefusalReason.EVENT_TYPE: RefusalReply(
        502, INTERNAL_ERROR, "The server sent no valid message."
    ),
    RefusalReason.UNASKED: RefusalReply(
        502, INTERNAL_ERROR, "The server sent more than one response."
    ),
    RefusalReason.LIST_TOO_LARGE: RefusalReply(
        502, INTERNAL_ERROR, "The server sent a list that is too long."
    ),
    RefusalReason.REPLY_STATUS: RefusalReply(
        502, INTERNAL_ERROR, "The server returned a status that cannot be relayed."
    ),
    RefusalReason.REPLY_TYPE: RefusalReply(
        502,
        INTERNAL_ERROR,
        "The server returned a content type that cannot be relayed.",
    ),
    RefusalReason.REPLY_MALFORMED: RefusalReply(
        502, INTERNAL_ERROR, "The server sent a malformed or ambiguous response."
    ),
    RefusalReason.CREDENTIAL: RefusalReply(
        502, INTERNAL_ERROR, "The server sent a response that must not be relayed."
    ),
    RefusalReason.UNREACHABLE: RefusalReply(
        502, INTERNAL_ERROR, "The server could not be reached."
    ),
    RefusalReason.LOST: RefusalReply(
        502, INTERNAL_ERROR, "The server ended its response early."
    ),
    RefusalReason.LATE: RefusalReply(
        504, INTERNAL_ERROR, "The server did not respond in time."
    ),
}

REPLIES = _HTTP_REPLIES | _MESSAGE_REPLIES
# Reasons answered as a JSON-RPC message within 200 in a session.
ANSWERED_REASONS = frozenset(
    {
        RefusalReason.UNKNOWN_METHOD,
        RefusalReason.PARAMS_TYPE,
        RefusalReason.NAME_TYPE,
        RefusalReason.UNKNOWN_TASK,
    }
)
VERSIONS = ("2026-07-28", "2025-11-25", "2025-06-18")
# Versions for a single request; older ones are negotiated by `initialize`.
SUPPORTED = VERSIONS[:1]
TASKS = "io.modelcontextprotocol/tasks"
MAX_ECHOED = 32
MAX_METHOD = 128


class RequestRefused(AnswerableError):  # noqa: N818 - reads as the refusal it is
    """Request that is malformed or ambiguous, and refused before a decision.

    Args:
        offset: Offset in the body, -1 where unknown.
        id: Id of the request, None where unknown.
        method: Method of the request, for evidence alone; empty where unknown.
    """

    def __init__(
        self,
        why: RefusalReason,
        *,
        offset: int = -1,
        id: str | int | None = None,
        method: str = "",
    ) -> None:
        self.why = why
        self.wire = REPLIES[why]
        self.offset = offset
        self.id = id
        self.method = method[:MAX_METHOD]
        where = f" (byte {offset})" if offset >= 0 else ""
        super().__init__(f"refused as {why.value}{where}: {self.wire.says}")

    def with_request_id(self, id: str | int | None, method: str) -> "RequestRefused":
        """Return a copy of this refusal with the id and method of the request."""
        return RequestRefused(self.why, offset=self.offset, id=id, method=method)

    def as_bad_gateway(self) -> "RequestRefused":
        """Return the refusal as a fault of the upstream server, status 502 or more."""
        is_said = self.wire.status >= BAD_GATEWAY
        return self if is_said else RequestRefused(RefusalReason.REPLY_MALFORMED)

    def http_status(self, *, has_session: bool = False) -> int:
        """Return the HTTP status for a client, by its protocol revision.

        For an older one 404 means that its session has ended, and it would start
        another (2025-11-25 basic/transports, "Session Management" 4); its requests are
        answered within 200, as its servers do.
        """
        if not has_session or self.why not in ANSWERED_REASONS:
            return self.wire.status
        return 400 if self.id is None else 200

    def jsonrpc_error(self, requested_version: str = "") -> bytes:
        """Encode the JSON-RPC error response, empty without a message to answer.

        Args:
            requested_version: Requested version, where that is the reason.
        """
        if self.wire.code == NO_CODE:
            return b""
        error: dict[str, object] = {"code": self.wire.code, "message": self.wire.says}
        if self.why is RefusalReason.UNSUPPORTED_VERSION:
            error["data"] = {
                "supported": SUPPORTED,
                "requested": requested_version[:MAX_ECHOED],
            }
        elif self.why is RefusalReason.CAPABILITY:
            error["data"] = {"requiredCapabilities": {"extensions": {TASKS: {}}}}
        # An unreadable id is omitted: here it is never null.
        answer = {"jsonrpc": "2.0"} | ({} if self.id is None else {"id": self.id})
        return msgspec.json.encode(answer | {"error": error})
