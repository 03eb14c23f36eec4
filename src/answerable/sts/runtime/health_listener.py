"""Open a listener for health checks, with its own address and connection quota."""

from dataclasses import replace
from functools import partial

from answerable.model.config import Listener
from answerable.server.admission import AdmissionControl
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind_listener
from answerable.server.operator_log import OperatorLog
from answerable.server.wire.host_check import ServedNames
from answerable.sts.http.connection import StsConnection
from answerable.sts.http.server import EndpointHandler, RouteTable, StsHttpServer
from answerable.sts.runtime.settings import StsSettings

MAX_CONNECTIONS = 64
HEALTH_PATHS = ("/healthz", "/readyz", "/metrics")


async def open_health_listener(
    settings: StsSettings,
    http_server: StsHttpServer,
    handlers: dict[tuple[str, str], EndpointHandler],
    listeners: Listeners,
    log: OperatorLog,
) -> None:
    """Serve the health pages at the configured address, if there is one.

    Args:
        http_server: Server of the token service.
        handlers: Handlers of the token service.

    Raises:
        EnvironmentFailure: The address cannot be bound.
    """
    address = settings.service.health
    if address is None:
        return
    pages = {at: handlers[at] for at in handlers if at[1] in HEALTH_PATHS}
    health = StsHttpServer(
        RouteTable("", pages),
        http_server.limits,
        None,
        http_server.loop,
        http_server.turned_away,
        http_server.failed,
    )
    limits = replace(
        http_server.limits,
        connections=MAX_CONNECTIONS,
        connections_per_address=MAX_CONNECTIONS,
    )
    health.admission = AdmissionControl(limits, log=log)
    bound = bind_listener(Listener(address, "", (), (), "", None), 1)
    given = bound.socket_for_worker(0)
    served = ServedNames(frozenset(given.hosts), frozenset())
    await listeners.open(
        "health", bound, partial(StsConnection, health, served, given.url)
    )
