"""gRPC service of Envoy's external authorization.

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

from answerable.pdp.enforcement_points import Enforcers
from answerable.pdp.envoy.check_messages import CheckRequest, CheckResponse, stopped
from answerable.pdp.envoy.check_request import UNAVAILABLE, Checking
from answerable.pdp.envoy.connections import EnvoyConnection, EnvoyServer
from answerable.pdp.http.server import Door
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.pdp.wire.problems import Problem
from answerable.server.admission import AdmissionControl
from answerable.server.connection_info import Link
from answerable.server.connection_probe import link_of
from answerable.server.processes.held_process import ProcessGone
from answerable.server.wire.request_head import MAX_BODY, MAX_HEAD, Head

CHECK = "/envoy.service.auth.v3.Authorization/Check"
_FIELDS = ("authorization", "dpop")
_PREFIX = 5  # bytes before a message: whether it is compressed, and its length
# A body and a head as large as the gateway takes, and what Envoy adds.
MAX_MESSAGE = MAX_BODY + 2 * MAX_HEAD + 64 * 1024


class Authorization:
    """The service `envoy.service.auth.v3.Authorization` on one listener.

    Args:
        url: Configured URL of the listener.
        door: Counts requests in progress.
        failed: Called with unexpected errors.
    """

    def __init__(
        self,
        enforcers: Enforcers,
        checking: Checking,
        recorder: Recorder,
        url: str,
        door: Door,
        failed: Callable[[Exception], None],
    ) -> None:
        self._enforcers, self._checking = enforcers, checking
        self._recorder, self._url = recorder, url
        self._door, self._failed = door, failed

    def __mapping__(self) -> dict[str, Handler]:
        """Return the methods for grpclib."""
        handler = Handler(
            self._check, Cardinality.UNARY_UNARY, CheckRequest, CheckResponse
        )
        return {CHECK: handler}

    async def _check(self, stream: "Stream[Any, Any]") -> None:
        await stream.send_message(await self._answer(stream))

    async def _answer(self, stream: "Stream[Any, Any]") -> Any:
        try:
            enforcer = await self._enforcers.identify(_head(stream), self._link(stream))
            connection = _connection(stream)
            with connection.counted(enforcer.principal), self._door.counted(enforcer):
                async with asyncio.timeout(self._door.limits.body):
                    request = await _received(stream)
                return await self._checking.check(request, enforcer)
        except (Problem, ProcessGone) as problem:
            self._recorder.turned_away(getattr(problem, "why", "peer-gone"))
        except TimeoutError:
            self._recorder.turned_away("body-late")
        except Exception as error:  # noqa: BLE001 - whatever went wrong, it is no yes
            self._failed(error)
            self._recorder.turned_away("failed")
        # Whoever called through Envoy did no wrong.
        return stopped(UNAVAILABLE)

    def _link(self, stream: "Stream[Any, Any]") -> Link:
        assert stream.peer is not None  # noqa: S101 - on the side of a server
        return link_of(stream.peer._transport, self._url)


async def _received(stream: "Stream[Any, Any]") -> Any:
    """Receive the one message, with a size limit.

    grpclib itself accepts any announced length.

    Raises:
        Problem: It is too large, or compressed.
    """
    incoming = stream._stream
    is_compressed, size = struct.unpack(">?I", await incoming.recv_data(_PREFIX))
    if is_compressed or size > MAX_MESSAGE:
        raise Problem(413, "body-too-large", "a message is too large, or compressed")
    return CheckRequest.FromString(await incoming.recv_data(size))


def _head(stream: "Stream[Any, Any]") -> Head:
    """Build the request head that authenticates Envoy."""
    said: Mapping[str, object] = stream.metadata or {}
    fields = {name: str(said[name]) for name in _FIELDS if name in said}
    fields["host"] = ""
    return Head("POST", CHECK, fields, 0, expects=False, closes=False)


def _connection(stream: "Stream[Any, Any]") -> EnvoyConnection:
    assert stream.peer is not None  # noqa: S101 - on the side of a server
    return cast(EnvoyConnection, stream.peer._transport.get_protocol())


def grpc_server(
    service: Authorization,
    admission: AdmissionControl,
    loop: asyncio.AbstractEventLoop,
) -> EnvoyServer:
    """Build the gRPC server of a listener, without logging of peer data."""
    logging.getLogger("grpclib").disabled = True
    logging.getLogger("grpclib.server").disabled = True
    logging.getLogger("grpclib.protocol").disabled = True
    return EnvoyServer(service, admission, loop)
