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
from answerable.cli.sample import write_estate
from answerable.model.config import Address, Listener
from answerable.model.ids import PersonId
from answerable.model.worker_limits import Limits
from answerable.server.asgi import Connection, uvicorn_config
from answerable.server.deadline_timer import Ticker
from answerable.server.listeners import Listeners
from answerable.server.listening_sockets import bind
from answerable.server.wire.host_check import Served
from answerable.web.auth.sessions import Session, Sessions
from answerable.web.auth.visitors import Visitors
from answerable.web.http.authentication import Known, Signed
from answerable.web.http.dispatcher import Door
from answerable.web.http.incoming_request import Come
from answerable.web.http.public_pages import public
from answerable.web.route_table import ROUTES, STREAMS
from answerable.web.store_cache import Desk
from answerable.web.visitor import roles

SOURCES = (
    "home:home/ana",
    "repo:repo",
    "aws:aws/account.json",
    "aws-keys:aws/keys.json",
)


class Everybody(Signed):
    """Takes everybody for the person of one session."""

    def __init__(self, sessions: Sessions, visitors: Visitors, one: Session) -> None:
        super().__init__(sessions, visitors)
        self._one = one

    async def known(self, come: Come) -> Known:
        return Known(self._one)

    def lives(self, known: Known) -> bool:
        return True


def sample() -> Path:
    """Make the sample estate, scanned and ingested."""
    folder = Path(tempfile.mkdtemp(prefix="answerable-look-"))
    here = Path.cwd()
    os.chdir(folder)
    write_estate(Path(), time.time_ns())
    store = str(folder / "store")
    main(["--quiet", "--store", store, "scan", *SOURCES])
    main(["--quiet", "--store", store, "ingest", "cloudtrail:trail"])
    os.chdir(here)
    return folder / "store"


async def serve(store: Path, names: list[str], person: str, port: int) -> None:
    sessions = Sessions(time.time)
    desk = Desk(store, None, (store / "gateway" / "spool",))
    _, one = sessions.begin(PersonId(person), roles(names), "local")

    def failed(error: Exception) -> str:
        sys.excepthook(type(error), error, error.__traceback__)
        return "printed"

    door = Door(
        desk,
        Everybody(sessions, Visitors(desk), one),
        ROUTES,
        STREAMS,
        public(lambda: {"ready": True}, lambda: b""),
        failed,
    )
    loop = asyncio.get_running_loop()
    bound = bind(Listener(Address("127.0.0.1", port), "", (), (), "", None), 1)
    given = bound.of_worker(0)
    listeners = Listeners(loop)
    connection = partial(
        Connection,
        uvicorn_config(door.app, 75),
        ServerState(),
        limits=Limits(),
        ticker=Ticker(loop),
        served=Served(frozenset(given.hosts)),
        url=given.url,
    )
    await listeners.open("web", bound, connection, "http/1.1")
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
