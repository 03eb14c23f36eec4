"""The pages on the sample estate, to be looked at: whoever asks is a visitor of ours.

    python tests/web/preview_server.py [--role ROLE ...] [--store DIR] [--port PORT]

Nobody signs in here, so this is for the eyes of whoever changes a page.
"""

import argparse
import asyncio
import os
import sys
import tempfile
import time
from functools import partial
from pathlib import Path

from uvicorn.server import ServerState

from answerable.cli.main import main
from answerable.cli.sample import write_sample
from answerable.model.config import ListenAddress, Listener
from answerable.model.ids import PersonId
from answerable.model.worker_limits import WorkerLimits
from answerable.server.admission import AdmissionControl
from answerable.server.asgi import AsgiConnection, build_uvicorn_config
from answerable.server.deadline_timer import DeadlineTimer
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind_listener
from answerable.web.auth.sessions import SessionStore, WebSession
from answerable.web.auth.visitor_factory import VisitorFactory
from answerable.web.http.authentication import AuthenticatedSender, SessionAuthenticator
from answerable.web.http.dispatcher import WebDispatcher
from answerable.web.http.incoming_request import IncomingRequest
from answerable.web.http.public_endpoints import public_endpoints
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.store_cache import StoreCache
from answerable.web.visitor import WebRole

SOURCES = (
    "home:home/ana",
    "repo:repo",
    "aws:aws/account.json",
    "aws-keys:aws/keys.json",
)


class SingleUserAuthenticator(SessionAuthenticator):
    """Takes everybody for the person of one session."""

    def __init__(
        self, sessions: SessionStore, visitors: VisitorFactory, one: WebSession
    ) -> None:
        super().__init__(sessions, visitors)
        self._one = one

    async def authenticate(self, incoming: IncomingRequest) -> AuthenticatedSender:
        return AuthenticatedSender(self._one)

    def is_alive(self, sender: AuthenticatedSender) -> bool:
        return True


def sample() -> Path:
    """Make the sample estate, scanned and ingested."""
    folder = Path(tempfile.mkdtemp(prefix="answerable-look-"))
    here = Path.cwd()
    os.chdir(folder)
    write_sample(Path(), time.time_ns())
    store = str(folder / "store")
    main(["--quiet", "--store", store, "scan", *SOURCES])
    main(["--quiet", "--store", store, "ingest", "cloudtrail:trail"])
    os.chdir(here)
    return folder / "store"


async def serve(store: Path, names: list[str], person: str, port: int) -> None:
    sessions = SessionStore(time.time)
    desk = StoreCache(store, None, (store / "gateway" / "spool",))
    _, one = sessions.create(PersonId(person), frozenset(map(WebRole, names)), "local")

    def failed(error: Exception) -> str:
        sys.excepthook(type(error), error, error.__traceback__)
        return "printed"

    http_server = WebDispatcher(
        desk,
        SingleUserAuthenticator(sessions, VisitorFactory(desk), one),
        ROUTES,
        STREAMS,
        public_endpoints({}),
        failed,
    )
    loop = asyncio.get_running_loop()
    bound = bind_listener(
        Listener(ListenAddress("127.0.0.1", port), "", (), (), "", None), 1
    )
    given = bound.socket_for_worker(0)
    admission = AdmissionControl(WorkerLimits())
    listeners = Listeners(loop, admission)
    connection = partial(
        AsgiConnection,
        build_uvicorn_config(http_server.app, 75),
        ServerState(),
        admission=admission,
        ticker=DeadlineTimer(loop),
        served=given.served_names,
        url=given.url,
    )
    await listeners.open_listener("web", bound, connection, "http/1.1")
    print(listeners.where[0][1], flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    parser = argparse.ArgumentParser()
    parser.add_argument("--role", action="append", default=[])
    parser.add_argument("--person", default="person:ana@corp.example")
    parser.add_argument("--store", type=Path)
    parser.add_argument("--port", type=int, default=0)
    said = parser.parse_args()
    asyncio.run(
        serve(
            said.store or sample(),
            said.role or ["admin", "owner"],
            said.person,
            said.port,
        )
    )
