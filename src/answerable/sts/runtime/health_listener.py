"""Health listener with its own address and connection quota."""

from dataclasses import replace
from functools import partial

from answerable.model.config import Listener
from answerable.server.admission import AdmissionControl
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind
from answerable.server.operator_log import Log
from answerable.server.wire.host_check import Served
from answerable.sts.http.connection import Front
from answerable.sts.http.server import Door, Handler, Routes
from answerable.sts.runtime.settings import Plan

CONNECTIONS = 64
PAGES = ("/healthz", "/readyz", "/metrics")


async def open_health(
    plan: Plan,
    door: Door,
    handlers: dict[tuple[str, str], Handler],
    listeners: Listeners,
    log: Log,
) -> None:
    """Serve the health pages at the configured address, if there is one.

    Args:
        door: Server of the token service.
        handlers: Handlers of the token service.

    Raises:
        EnvironmentRefused: The address cannot be bound.
    """
    address = plan.service.health
    if address is None:
        return
    pages = {at: handlers[at] for at in handlers if at[1] in PAGES}
    health = Door(
        Routes("", pages), door.limits, None, door.loop, door.turned_away, door.failed
    )
    limits = replace(
        door.limits, connections=CONNECTIONS, connections_per_address=CONNECTIONS
    )
    health.admission = AdmissionControl(limits, log=log)
    bound = bind(Listener(address, "", (), (), "", None), 1)
    given = bound.of_worker(0)
    served = Served(frozenset(given.hosts), frozenset())
    await listeners.open("health", bound, partial(Front, health, served, given.url))
