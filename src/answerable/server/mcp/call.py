"""MCP call: the parsed request, without its sender.

A decision is made from a call and a verified caller. No field holds a sender's claim
about itself or its reasons: `clientInfo`, the rest of `_meta`, baggage, user agents and
the like are dropped. Arguments are a piece of the body, and are parsed by constraints
alone.
"""

import hashlib
from collections.abc import Mapping

import msgspec

from answerable.model.decision import Target
from answerable.server.mcp.json_members import (
    UNREADABLE,
    Span,
    is_object,
    members,
    refuse_lookalikes,
    spellings,
    text,
)
from answerable.server.mcp.messages import Kind, Message, read_id, read_message
from answerable.server.mcp.methods import Era, Method, Sender, method_of
from answerable.server.mcp.request_metadata import (
    check_meta,
    check_mirrors,
    check_types,
    era_of,
    session_of,
)
from answerable.server.mcp.server_path import server_of
from answerable.server.wire.refusals import Refused, Why
from answerable.server.wire.request_head import Head

MAX_NAME = 4096  # characters of a name or URI
MAX_WATCHED = 256
REF = spellings("type", "name", "uri")
WATCH = spellings("resourceSubscriptions", "taskIds")
NOTHING = memoryview(b"")
_texts = msgspec.json.Decoder(list[str])


class Watched(msgspec.Struct, frozen=True):
    """Resource or task that a listen stream watches."""

    target: Target
    name: str


class Call(msgspec.Struct, frozen=True, gc=False):
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

    era: Era
    kind: Kind
    method: str
    id: str | int | None
    server: str
    target: Target
    name: str = ""
    about: str | int | None = None
    watched: tuple[Watched, ...] = ()
    arguments: memoryview = NOTHING
    session: str = ""
    state: str = ""
    answers: bool = False


def digest(value: str) -> str:
    """Return the SHA-256 of a value that is compared and never stored."""
    return hashlib.sha256(value.encode("utf-8")).hexdigest()


def read_call(head: Head, body: bytes) -> Call:
    """Parse one request of a client over Streamable HTTP.

    Args:
        head: Its head, whose place was checked (`place.check_place`).
        body: Its complete body.

    Raises:
        Refused: It is ambiguous or malformed, or not of this protocol.
    """
    server = server_of(head.target)
    era = _era(head, body)
    if head.method != "POST" and era.is_modern:
        raise Refused(Why.METHOD_OF_HTTP)
    check_types(head)
    said = session_of(head.fields, era)
    session = digest(said) if said else ""
    if head.method == "GET":
        return Call(era, Kind.OPEN, "", None, server, Target.STREAM, session=session)
    if head.method == "DELETE":
        return Call(era, Kind.CLOSE, "", None, server, Target.SESSION, session=session)
    message = read_message(body)
    try:
        return _read(era, head.fields, body, message, server, session)
    except Refused as refused:
        raise refused.of(message.id, message.method) from None


def _era(head: Head, body: bytes) -> Era:
    """Pick the revision; an unsupported one is answered by the id of the request."""
    try:
        return era_of(head.fields)
    except Refused as refused:
        try:
            message = read_message(body)
        except Refused:
            raise refused from None
        raise refused.of(message.id, message.method) from None


def read_line(line: bytes, era: Era, server: str) -> Call:
    """Parse one message of a client over stdio, which has no mirrored fields.

    Args:
        line: One line without its end.
        era: Revision that the first message of the process negotiated.
        server: Server of the process.

    Raises:
        Refused: As `read_call`.
    """
    message = read_message(line)
    try:
        return _read(era, {}, line, message, server, "", mirrored=False)
    except Refused as refused:
        raise refused.of(message.id, message.method) from None


def _read(
    era: Era,
    fields: Mapping[str, str],
    body: bytes,
    message: Message,
    server: str,
    session: str,
    *,
    mirrored: bool = True,
) -> Call:
    if message.kind is Kind.RESPONSE:
        return _answer(era, message, server, session)
    method = method_of(era, message.method, Sender.CLIENT)
    if era.is_modern and message.kind is Kind.REQUEST:
        check_meta(body, message, era, needs_tasks=_is_of_tasks(method))
    name = _named(body, message, method)
    if mirrored:
        check_mirrors(era, fields, message, method, name)
    if method is None or method.is_notification == (message.kind is Kind.REQUEST):
        raise Refused(Why.UNKNOWN_METHOD)
    params = message.params
    target, name = _target(body, method, params, name)
    return Call(
        era=era,
        kind=message.kind,
        method=message.method,
        id=message.id,
        server=server,
        target=target,
        name=name or "",
        about=_about(body, method, params),
        watched=_watched(body, method, params),
        arguments=_arguments(body, params),
        session=session,
        state=_state(body, params),
        answers="inputResponses" in params,
    )


def _is_of_tasks(method: Method | None) -> bool:
    return method is not None and method.target is Target.TASK


def _answer(era: Era, message: Message, server: str, session: str) -> Call:
    """Build the response to a server's request (2025-11-25 and before)."""
    if era.is_modern:
        raise Refused(Why.RESPONSE_NOT_EXPECTED)
    id = message.id
    return Call(
        era, Kind.RESPONSE, "", id, server, Target.REQUEST, about=id, session=session
    )


def _named(body: bytes, message: Message, method: Method | None) -> str | None:
    """Read the name in the body, where the method has one as text."""
    if method is None or method.target in UNTOLD or not method.key:
        return None
    name = text(body, message.params.get(method.key))
    if not name or len(name) > MAX_NAME:
        raise Refused(Why.NAME_TYPE)
    return name


# Named by an object, or by an id that may be a number.
UNTOLD = frozenset({Target.REFERENCE, Target.STREAM, Target.REQUEST})


def _target(
    body: bytes, method: Method, params: Mapping[str, Span], name: str | None
) -> tuple[Target, str | None]:
    """Return the object of a call; for a completion, the referenced one."""
    if method.target is not Target.REFERENCE:
        return method.target, name
    ref = _object(body, params, "ref")
    refuse_lookalikes(ref, REF)
    match text(body, ref.get("type")):
        case "ref/prompt":
            target, named = Target.PROMPT, text(body, ref.get("name"))
        case "ref/resource":
            target, named = Target.RESOURCE, text(body, ref.get("uri"))
        case _:
            raise Refused(Why.NAME_TYPE)
    if not named or len(named) > MAX_NAME:
        raise Refused(Why.NAME_TYPE)
    return target, named


def _object(body: bytes, params: Mapping[str, Span], key: str) -> dict[str, Span]:
    """Read a required object."""
    span = params.get(key)
    if span is None or not is_object(body, span):
        raise Refused(Why.PARAMS_TYPE)
    return members(body, span)


def _about(body: bytes, method: Method, params: Mapping[str, Span]) -> str | int | None:
    if method.target is not Target.REQUEST:
        return None
    span = params.get(method.key)
    # A task of 2025-11-25 is cancelled by its own method, and has no request here.
    return None if span is None else read_id(body, span)


def _watched(
    body: bytes, method: Method, params: Mapping[str, Span]
) -> tuple[Watched, ...]:
    if method.target is not Target.STREAM:
        return ()
    filters = _object(body, params, method.key)
    refuse_lookalikes(filters, WATCH)
    uris = _list(body, filters.get("resourceSubscriptions"))
    tasks = _list(body, filters.get("taskIds"))
    if len(uris) + len(tasks) > MAX_WATCHED:
        raise Refused(Why.PARAMS_TYPE)
    return tuple(Watched(Target.RESOURCE, uri) for uri in uris) + tuple(
        Watched(Target.TASK, task) for task in tasks
    )


def _list(body: bytes, span: Span | None) -> list[str]:
    if span is None:
        return []
    try:
        texts = _texts.decode(memoryview(body)[span])
    except UNREADABLE:
        raise Refused(Why.PARAMS_TYPE) from None
    if not all(0 < len(each) <= MAX_NAME for each in texts):
        raise Refused(Why.PARAMS_TYPE)
    return texts


def _arguments(body: bytes, params: Mapping[str, Span]) -> memoryview:
    span = params.get("arguments")
    if span is None:
        return NOTHING
    if not is_object(body, span):
        raise Refused(Why.PARAMS_TYPE)
    return memoryview(body)[span]


def _state(body: bytes, params: Mapping[str, Span]) -> str:
    if "requestState" not in params:
        return ""
    state = text(body, params["requestState"])
    if state is None:
        raise Refused(Why.PARAMS_TYPE)
    return digest(state)
