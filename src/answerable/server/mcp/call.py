"""Parse one MCP request into a call: method, server, target and arguments.

A decision is made from a call and a verified caller. No field holds a sender's claim
about itself or its reasons: `clientInfo`, the rest of `_meta`, baggage, user agents and
the like are dropped. Arguments are a piece of the body, and are parsed by constraints
alone.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from answerable.model.decision import TargetKind
from answerable.server.mcp.json_members import (
    DECODE_ERRORS,
    Span,
    build_known_keys,
    find_object_members,
    is_object,
    read_string,
    refuse_lookalike_keys,
)
from answerable.server.mcp.messages import (
    JsonRpcMessage,
    MessageKind,
    parse_jsonrpc_id,
    parse_message,
)
from answerable.server.mcp.methods import (
    McpMethod,
    McpRevision,
    MessageSender,
    find_method,
)
from answerable.server.mcp.request_metadata import (
    check_media_types,
    check_mirrored_headers,
    check_request_meta,
    parse_revision,
    parse_session_id,
)
from answerable.server.mcp.server_target_path import parse_server_name
from answerable.server.wire.refusals import RefusalReason, RequestRefused
from answerable.server.wire.request_head import HttpRequestHead

MAX_NAME = 4096  # characters of a name or URI
MAX_WATCHED = 256
REF_KEYS = build_known_keys("type", "name", "uri")
WATCH_KEYS = build_known_keys("resourceSubscriptions", "taskIds")
NO_ARGUMENTS = memoryview(b"")
_texts = msgspec.json.Decoder(list[str])


class WatchedItem(msgspec.Struct, frozen=True):
    """Resource or task that a listen stream watches."""

    target: TargetKind
    name: str


class McpCall(msgspec.Struct, frozen=True, gc=False):
    """Parsed request; immutable, and without claims about its sender.

    Attributes:
        kind: Request, notification, response; open or close of a session's stream.
        method: MCP method, empty without a message, and for a response.
        id: Id of the request or response.
        server: Upstream server, from the path.
        target: Kind of object that the method acts on.
        name: Tool, prompt, URI or task id; empty without one.
        about: Id of another request that this one refers to (a cancellation, a
            progress).
        watched: Resources and tasks that a listen stream watches.
        arguments: Unparsed arguments, a piece of the body; empty without any.
        session: SHA-256 of the session id, empty without one.
        state: SHA-256 of `requestState`, which links a retry to an earlier answer.
        answers: It contains inputs that the server requested.
    """

    era: McpRevision
    kind: MessageKind
    method: str
    id: str | int | None
    server: str
    target: TargetKind
    name: str = ""
    about: str | int | None = None
    watched: tuple[WatchedItem, ...] = ()
    arguments: memoryview = NO_ARGUMENTS
    session: str = ""
    state: str = ""
    answers: bool = False


def sha256_hex(value: str) -> str:
    """Return the SHA-256 of a value that is compared and never stored."""
    return hashlib.sha256(value.encode("utf-8")).hexdigest()


def parse_http_call(head: HttpRequestHead, body: bytes) -> McpCall:
    """Parse one request of a client over Streamable HTTP.

    Args:
        head: Its head, whose place was checked (`place.check_place`).
        body: Its complete body.

    Raises:
        Refused: It is ambiguous or malformed, or not of this protocol.
    """
    server = parse_server_name(head.target)
    era = _choose_protocol_revision(head, body)
    if head.method != "POST" and era.is_modern:
        raise RequestRefused(RefusalReason.METHOD_OF_HTTP)
    check_media_types(head)
    said = parse_session_id(head.fields, era)
    session = sha256_hex(said) if said else ""
    if head.method == "GET":
        return McpCall(
            era, MessageKind.OPEN, "", None, server, TargetKind.STREAM, session=session
        )
    if head.method == "DELETE":
        return McpCall(
            era,
            MessageKind.CLOSE,
            "",
            None,
            server,
            TargetKind.SESSION,
            session=session,
        )
    message = parse_message(body)
    try:
        return _build_call(era, head.fields, body, message, server, session)
    except RequestRefused as refused:
        raise refused.with_request_id(message.id, message.method) from None


def _choose_protocol_revision(head: HttpRequestHead, body: bytes) -> McpRevision:
    """Return the protocol revision; a refusal carries the id of the request."""
    try:
        return parse_revision(head.fields)
    except RequestRefused as refused:
        try:
            message = parse_message(body)
        except RequestRefused:
            raise refused from None
        raise refused.with_request_id(message.id, message.method) from None


def parse_stdio_call(line: bytes, revision: McpRevision, server: str) -> McpCall:
    """Parse one message of a client over stdio, which has no mirrored fields.

    Args:
        line: One line without its end.
        revision: Revision that the first message of the process negotiated.
        server: Server of the process.

    Raises:
        Refused: As `parse_http_call`.
    """
    message = parse_message(line)
    try:
        return _build_call(
            revision, {}, line, message, server, "", has_mirrored_headers=False
        )
    except RequestRefused as refused:
        raise refused.with_request_id(message.id, message.method) from None


def _build_call(
    revision: McpRevision,
    headers: Mapping[str, str],
    body: bytes,
    message: JsonRpcMessage,
    server: str,
    session: str,
    *,
    has_mirrored_headers: bool = True,
) -> McpCall:
    """Check a message against its headers and method, and build the call."""
    if message.kind is MessageKind.RESPONSE:
        return _build_client_response(revision, message, server, session)
    method = find_method(revision, message.method, MessageSender.CLIENT)
    if revision.is_modern and message.kind is MessageKind.REQUEST:
        check_request_meta(body, message, revision, needs_tasks=_acts_on_task(method))
    name = _read_target_name(body, message, method)
    if has_mirrored_headers:
        check_mirrored_headers(revision, headers, message, method, name)
    if method is None or method.is_notification == (
        message.kind is MessageKind.REQUEST
    ):
        raise RequestRefused(RefusalReason.UNKNOWN_METHOD)
    params = message.params
    target, name = _resolve_target(body, method, params, name)
    return McpCall(
        era=revision,
        kind=message.kind,
        method=message.method,
        id=message.id,
        server=server,
        target=target,
        name=name or "",
        about=_read_related_id(body, method, params),
        watched=_read_subscribed_items(body, method, params),
        arguments=_find_arguments(body, params),
        session=session,
        state=_digest_request_state(body, params),
        answers="inputResponses" in params,
    )


def _acts_on_task(method: McpMethod | None) -> bool:
    """Return whether an MCP method acts on a task (`tasks/get`, `tasks/cancel`)."""
    return method is not None and method.target is TargetKind.TASK


def _build_client_response(
    revision: McpRevision, message: JsonRpcMessage, server: str, session: str
) -> McpCall:
    """Build the call for a client's response to a server's request."""
    if revision.is_modern:
        raise RequestRefused(RefusalReason.RESPONSE_NOT_EXPECTED)
    id = message.id
    return McpCall(
        revision,
        MessageKind.RESPONSE,
        "",
        id,
        server,
        TargetKind.REQUEST,
        about=id,
        session=session,
    )


def _read_target_name(
    body: bytes, message: JsonRpcMessage, method: McpMethod | None
) -> str | None:
    """Return the name of the target in the parameters, None if it has none."""
    if method is None or method.target in UNNAMED_TARGETS or not method.key:
        return None
    name = read_string(body, message.params.get(method.key))
    if not name or len(name) > MAX_NAME:
        raise RequestRefused(RefusalReason.NAME_TYPE)
    return name


# Named by an object, or by an id that may be a number.
UNNAMED_TARGETS = frozenset(
    {TargetKind.REFERENCE, TargetKind.STREAM, TargetKind.REQUEST}
)


def _resolve_target(
    body: bytes, method: McpMethod, params: Mapping[str, Span], name: str | None
) -> tuple[TargetKind, str | None]:
    """Return kind and name of a call's target; a completion's is its reference."""
    if method.target is not TargetKind.REFERENCE:
        return method.target, name
    ref = _read_required_object(body, params, "ref")
    refuse_lookalike_keys(ref, REF_KEYS)
    match read_string(body, ref.get("type")):
        case "ref/prompt":
            target, named = TargetKind.PROMPT, read_string(body, ref.get("name"))
        case "ref/resource":
            target, named = TargetKind.RESOURCE, read_string(body, ref.get("uri"))
        case _:
            raise RequestRefused(RefusalReason.NAME_TYPE)
    if not named or len(named) > MAX_NAME:
        raise RequestRefused(RefusalReason.NAME_TYPE)
    return target, named


def _read_required_object(
    body: bytes, params: Mapping[str, Span], key: str
) -> dict[str, Span]:
    """Return the members of a required object among the parameters."""
    span = params.get(key)
    if span is None or not is_object(body, span):
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    return find_object_members(body, span)


def _read_related_id(
    body: bytes, method: McpMethod, params: Mapping[str, Span]
) -> str | int | None:
    """Return the id of the request that a notification is about, else None."""
    if method.target is not TargetKind.REQUEST:
        return None
    span = params.get(method.key)
    # A task of 2025-11-25 is cancelled by its own method, and has no request here.
    return None if span is None else parse_jsonrpc_id(body, span)


def _read_subscribed_items(
    body: bytes, method: McpMethod, params: Mapping[str, Span]
) -> tuple[WatchedItem, ...]:
    """Return the resources and tasks that a subscription watches."""
    if method.target is not TargetKind.STREAM:
        return ()
    filters = _read_required_object(body, params, method.key)
    refuse_lookalike_keys(filters, WATCH_KEYS)
    uris = _read_string_list(body, filters.get("resourceSubscriptions"))
    tasks = _read_string_list(body, filters.get("taskIds"))
    if len(uris) + len(tasks) > MAX_WATCHED:
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    return tuple(WatchedItem(TargetKind.RESOURCE, uri) for uri in uris) + tuple(
        WatchedItem(TargetKind.TASK, task) for task in tasks
    )


def _read_string_list(body: bytes, span: Span | None) -> list[str]:
    """Return a list of bounded strings; empty if absent."""
    if span is None:
        return []
    try:
        texts = _texts.decode(memoryview(body)[span])
    except DECODE_ERRORS:
        raise RequestRefused(RefusalReason.PARAMS_TYPE) from None
    if not all(0 < len(each) <= MAX_NAME for each in texts):
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    return texts


def _find_arguments(body: bytes, params: Mapping[str, Span]) -> memoryview:
    """Return the bytes of the arguments; an empty object if absent."""
    span = params.get("arguments")
    if span is None:
        return NO_ARGUMENTS
    if not is_object(body, span):
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    return memoryview(body)[span]


def _digest_request_state(body: bytes, params: Mapping[str, Span]) -> str:
    """Return the SHA-256 of the request state; empty without one."""
    if "requestState" not in params:
        return ""
    state = read_string(body, params["requestState"])
    if state is None:
        raise RequestRefused(RefusalReason.PARAMS_TYPE)
    return sha256_hex(state)
