"""Serve Envoy's external authorization (`Authorization/Check`) over gRPC.

An unauthorised Envoy or an internal error gives a denial, not a gRPC error: Envoy's
handling of errors is configurable (`failure_mode_allow`).
"""

import asyncio
import logging
import struct
from collections.abc import Callable, Mapping
from typing import Any, cast

from grpclib.const import Cardinality, Handler
from grpclib.server import Stream

from answerable.pdp.enforcement_points import EnforcementPointAuthenticator
from answerable.pdp.envoy.check_evaluation import UNAVAILABLE_STATUS, CheckHandler
from answerable.pdp.envoy.check_messages import (
    CheckRequest,
    CheckResponse,
    build_deny_response,
)
from answerable.pdp.envoy.connections import EnvoyConnection, EnvoyServer
from answerable.pdp.http.server import PdpHttpServer
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.wire.problem_documents import ProblemResponse
from answerable.server.admission import AdmissionControl
from answerable.server.connection_info import ConnectionInfo
from answerable.server.connection_info_reader import read_connection_info
from answerable.server.processes.pidfd_process import ProcessGone
from answerable.server.wire.request_head import MAX_BODY, MAX_HEAD, HttpRequestHead

CHECK_METHOD = "/envoy.service.auth.v3.Authorization/Check"
_FIELDS = ("authorization", "dpop")
_FRAME_PREFIX = 5  # bytes before a message: whether it is compressed, and its length
# A body and a head as large as the gateway takes, and what Envoy adds.
MAX_MESSAGE = MAX_BODY + 2 * MAX_HEAD + 64 * 1024


class ExtAuthzService:
    """The service `envoy.service.auth.v3.Authorization` on one listener.

    Args:
        url: Configured URL of the listener.
        http_server: Counts requests in progress.
        failed: Called with unexpected errors.
    """

    def __init__(
        self,
        enforcers: EnforcementPointAuthenticator,
        checking: CheckHandler,
        recorder: EvaluationRecorder,
        url: str,
        http_server: PdpHttpServer,
        failed: Callable[[Exception], None],
    ) -> None:
        self._enforcers, self._checking = enforcers, checking
        self._recorder, self._url = recorder, url
        self._http_server, self._failed = http_server, failed

    def __mapping__(self) -> dict[str, Handler]:
        """Return the methods for grpclib."""
        handler = Handler(
            self._handle_check, Cardinality.UNARY_UNARY, CheckRequest, CheckResponse
        )
        return {CHECK_METHOD: handler}

    async def _handle_check(self, stream: "Stream[Any, Any]") -> None:
        """Serve one Check call; send its response."""
        await stream.send_message(await self._authenticate_and_evaluate(stream))

    async def _authenticate_and_evaluate(self, stream: "Stream[Any, Any]") -> Any:
        """Authenticate Envoy and evaluate its check; every failure is a denial."""
        try:
            enforcer = await self._enforcers.authenticate(
                _build_request_head(stream), self._build_connection_info(stream)
            )
            connection = _find_connection(stream)
            with (
                connection.count_check(enforcer.principal),
                self._http_server.count_in_flight(enforcer),
            ):
                async with asyncio.timeout(self._http_server.limits.body):
                    request = await _receive_message(stream)
                return await self._checking.check(request, enforcer)
        except (ProblemResponse, ProcessGone) as problem:
            self._recorder.count_refused_request(getattr(problem, "why", "peer-gone"))
        except TimeoutError:
            self._recorder.count_refused_request("body-late")
        except Exception as error:  # noqa: BLE001 - no failure allows a call
            self._failed(error)
            self._recorder.count_refused_request("failed")
        # The caller behind Envoy made no error.
        return build_deny_response(UNAVAILABLE_STATUS)

    def _build_connection_info(self, stream: "Stream[Any, Any]") -> ConnectionInfo:
        """Build the connection facts by which Envoy is authenticated."""
        assert stream.peer is not None  # noqa: S101 - on the side of a server
        return read_connection_info(stream.peer._transport, self._url)


async def _receive_message(stream: "Stream[Any, Any]") -> Any:
    """Receive the one message of a unary gRPC call, up to a size limit.

    grpclib itself accepts any announced length.

    Raises:
        Problem: It is too large, or compressed.
    """
    incoming = stream._stream
    is_compressed, size = struct.unpack(">?I", await incoming.recv_data(_FRAME_PREFIX))
    if is_compressed or size > MAX_MESSAGE:
        raise ProblemResponse(
            413, "body-too-large", "a message is too large, or compressed"
        )
    return CheckRequest.FromString(await incoming.recv_data(size))


def _build_request_head(stream: "Stream[Any, Any]") -> HttpRequestHead:
    """Build the request head that authenticates Envoy."""
    said: Mapping[str, object] = stream.metadata or {}
    fields = {name: str(said[name]) for name in _FIELDS if name in said}
    fields["host"] = ""
    return HttpRequestHead("POST", CHECK_METHOD, fields, 0, expects=False, closes=False)


def _find_connection(stream: "Stream[Any, Any]") -> EnvoyConnection:
    """Return the connection that carries a gRPC stream."""
    assert stream.peer is not None  # noqa: S101 - on the side of a server
    return cast(EnvoyConnection, stream.peer._transport.get_protocol())


def build_grpc_server(
    service: ExtAuthzService,
    admission: AdmissionControl,
    loop: asyncio.AbstractEventLoop,
) -> EnvoyServer:
    """Build the gRPC server of a listener, without logging of peer data."""
    logging.getLogger("grpclib").disabled = True
    logging.getLogger("grpclib.server").disabled = True
    logging.getLogger("grpclib.protocol").disabled = True
    return EnvoyServer(service, admission, loop)
