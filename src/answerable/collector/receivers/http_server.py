"""Receive log records over HTTP: OTLP, and the audit webhook of Kubernetes.

Sources: OpenTelemetry, "OTLP Specification", OTLP/HTTP
(opentelemetry.io/docs/specs/otlp/#otlphttp): paths, encodings, retryable status codes;
Kubernetes documentation, "Auditing", Webhook backend
(kubernetes.io/docs/tasks/debug/debug-cluster/audit/#webhook-backend).
"""

from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from typing import TypeAlias

import msgspec
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from answerable.collector.receivers.record_writer import (
    Delivery,
    DeliveryResult,
    QueueFullError,
    RecordWriter,
)
from answerable.collector.receivers.request_body import (
    BodyBudget,
    DeliveryRefusedError,
    read_request_body,
)
from answerable.collector.receivers.sender_authentication import SenderAuthenticator
from answerable.collector.receivers.sender_status import SenderStatus
from answerable.connectors.otel import export_request
from answerable.connectors.otel.export_request import LOGS, TRACES, OtlpSignal
from answerable.model.collection import LogSender
from answerable.model.errors import AnswerableError
from answerable.server.asgi import check_request_host
from answerable.server.wire.refusals import RequestRefused

JSON_TYPE = "application/json"
PROTOBUF_TYPE = "application/x-protobuf"
KUBERNETES_PATH = "/k8s-audit"
RETRY_SECONDS = 5

RequestHandler: TypeAlias = Callable[[Request, LogSender], Awaitable[Response]]


class _EventList(msgspec.Struct):
    items: list[msgspec.Raw]


_EVENT_LISTS = msgspec.json.Decoder(_EventList)
# google.rpc.Code of an HTTP status, for the bodies of errors.
_RPC_CODES = {400: 3, 401: 16, 403: 7, 413: 3, 415: 3, 421: 3, 429: 8, 503: 14}


class RecordReceiver:
    """HTTP application of the receivers.

    Args:
        senders: Senders that may use it.
        writer: Writer of the store.
        failed: Called with unexpected errors.

    Attributes:
        statuses: Status of each sender, by its name.
        refused: Number of requests that named no sender.
    """

    def __init__(
        self,
        senders: Sequence[LogSender],
        writer: RecordWriter,
        failed: Callable[[Exception], None],
    ) -> None:
        self._writer, self._failed = writer, failed
        self.budget = BodyBudget()
        self.statuses: dict[str, SenderStatus] = {}
        self.refused = 0
        self.is_draining = False
        self.configure(senders)

    def configure(self, senders: Sequence[LogSender]) -> None:
        """Use other senders from now on; the counts of those that remain are kept."""
        self._authenticator = SenderAuthenticator(senders)
        before = self.statuses
        self.statuses = {
            each.name: before[each.name].with_sender(each)
            if each.name in before
            else SenderStatus(each)
            for each in senders
        }

    def build_app(self) -> Starlette:
        """Build the ASGI application."""
        handlers: dict[str, RequestHandler] = {
            "/v1/logs": partial(self._receive_otlp, LOGS),
            "/v1/traces": partial(self._receive_otlp, TRACES),
            "/v1/metrics": self._discard_metrics,
            KUBERNETES_PATH: self._receive_kubernetes_audit,
        }
        return Starlette(
            routes=[
                Route(path, self._build_endpoint(handler), methods=["POST"])
                for path, handler in handlers.items()
            ]
        )

    def _build_endpoint(
        self, handler: RequestHandler
    ) -> Callable[[Request], Awaitable[Response]]:
        """Wrap a handler: authenticate, and answer errors in the request's encoding."""

        async def endpoint(request: Request) -> Response:
            try:
                return await handler(request, self._authenticate_sender(request))
            except DeliveryRefusedError as error:
                return _build_error_response(request, error.status, str(error))
            except ClientDisconnect:
                return Response(status_code=400)  # the client is gone
            except Exception as error:  # noqa: BLE001 - a retry may succeed
                self._failed(error)
                return _build_error_response(request, 503, "the request failed")

        return endpoint

    def _authenticate_sender(self, request: Request) -> LogSender:
        """Return the sender of a request."""
        if self.is_draining:
            raise DeliveryRefusedError(503, "the collector is shutting down")
        state = request.scope["state"]
        try:
            check_request_host(request)
        except RequestRefused as refused:
            raise DeliveryRefusedError(refused.wire.status, refused.wire.says) from None
        named = request.headers.getlist("authorization")
        sender = self._authenticator.authenticate(
            named[0] if len(named) == 1 else "", state["link"]
        )
        if sender is None:
            self.refused += 1
            raise DeliveryRefusedError(
                401,
                "the sender is unknown (expected a bearer token or a client "
                "certificate of `collector.senders`)",
            )
        state["caller"] = sender.place
        return sender

    async def _receive_otlp(
        self, signal: OtlpSignal, request: Request, sender: LogSender
    ) -> Response:
        """Store the logs or spans of a request."""
        kind = _require_source(request, sender, "otel", (JSON_TYPE, PROTOBUF_TYPE))
        options = {"sender": sender.name, "agents": "\n".join(sender.agents)}
        split = export_request.split_json_request
        encode = export_request.encode_json_response
        if kind == PROTOBUF_TYPE:
            _require_protobuf()
            split = export_request.split_protobuf_request
            encode = export_request.encode_protobuf_response
        with self.budget.reserve(sender.name) as reservation:
            body = await read_request_body(request, reservation)
            delivery = Delivery(
                "otel", sender.place, options, partial(split, body, signal)
            )
            result = await self._store_delivery(delivery, sender)
        return Response(encode(signal, result.rejected, result.reason), media_type=kind)

    async def _discard_metrics(self, request: Request, sender: LogSender) -> Response:
        """Accept metrics, which contain no events, without reading them."""
        kind = _require_source(request, sender, "otel", (JSON_TYPE, PROTOBUF_TYPE))
        with self.budget.reserve(sender.name) as reservation:
            await read_request_body(request, reservation)
        return Response(b"{}" if kind == JSON_TYPE else b"", media_type=kind)

    async def _receive_kubernetes_audit(
        self, request: Request, sender: LogSender
    ) -> Response:
        """Store the events of an `EventList`."""
        _require_source(request, sender, "k8s-audit", (JSON_TYPE,))
        with self.budget.reserve(sender.name) as reservation:
            body = await read_request_body(request, reservation)
            delivery = Delivery(
                "k8s-audit",
                sender.place,
                {"cluster": sender.cluster},
                partial(_split_event_list, body),
            )
            await self._store_delivery(delivery, sender)
        return Response(b"{}", media_type=JSON_TYPE)

    async def _store_delivery(
        self, delivery: Delivery, sender: LogSender
    ) -> DeliveryResult:
        """Store a delivery, and count it."""
        try:
            result = await self._writer.write(delivery)
        except QueueFullError:
            raise DeliveryRefusedError(429, "too many deliveries are waiting") from None
        except AnswerableError:
            raise DeliveryRefusedError(503, "the store cannot be written") from None
        if result.invalid:
            self.statuses[sender.name].count_invalid()
            raise DeliveryRefusedError(400, result.invalid)
        if sender.name in self.statuses:
            self.statuses[sender.name].count(result)
        return result


def _require_source(
    request: Request, sender: LogSender, source: str, kinds: Sequence[str]
) -> str:
    """Return the content type of a request that its sender may make."""
    if sender.source != source:
        raise DeliveryRefusedError(
            403, f"this sender is configured for {sender.source}"
        )
    kind = _get_content_type(request)
    if kind not in kinds:
        raise DeliveryRefusedError(415, f"expected Content-Type {' or '.join(kinds)}")
    return kind


def _require_protobuf() -> None:
    """Refuse protobuf if the extra is not installed."""
    try:
        import opentelemetry.proto.collector  # noqa: F401
    except ImportError:
        what = "protobuf requires the extra otel; send application/json"
        raise DeliveryRefusedError(415, what) from None


def _split_event_list(body: bytes) -> list[bytes]:
    """Return the events of an `EventList`, or raise ValueError."""
    try:
        return [bytes(each) for each in _EVENT_LISTS.decode(body).items]
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        raise ValueError("the body is not a JSON EventList") from None


def _get_content_type(request: Request) -> str:
    """Return the media type of a request, without parameters."""
    field = request.headers.get("content-type", "")
    return field.partition(";")[0].strip().lower()


def _build_error_response(request: Request, status: int, message: str) -> Response:
    """Build an error: a `google.rpc.Status` in the encoding of the request."""
    code = _RPC_CODES.get(status, 2)
    headers = {"connection": "close"} if status == 413 else {}
    if status in (429, 503):
        headers["retry-after"] = str(RETRY_SECONDS)
    if status == 401:
        headers["www-authenticate"] = "Bearer"
    if _get_content_type(request) == PROTOBUF_TYPE:
        text = message.encode()[:127]
        body = b"\x08%c\x12%c%s" % (code, len(text), text)
        return Response(body, status, headers, PROTOBUF_TYPE)
    body = msgspec.json.encode({"code": code, "message": message})
    return Response(body, status, headers, JSON_TYPE)
