"""Process of the web interface; it reads the store under any user with access."""

import os
import sys
from collections.abc import Callable

from answerable.server import runtime
from answerable.server.operator_log import OperatorLog
from answerable.server.runtime import Endpoints
from answerable.web.runtime.app import WebApp
from answerable.web.runtime.settings import WebSettings


def run_server(
    read: Callable[[], WebSettings],
    ready: Callable[[Endpoints], None],
    *,
    alone: bool = True,
) -> None:
    """Serve a configuration until told to end.

    Args:
        ready: Called with the listeners once they are open.
        alone: False if a parent process started it and ends with it.

    Raises:
        AnswerableError: The settings cannot be loaded or served.
    """
    links: Endpoints = []
    houses: list[WebApp] = []

    async def made(plan: WebSettings, log: OperatorLog) -> WebApp:
        house = await WebApp.open(plan, log)
        houses.append(house)
        links.extend(house.sign_in_links())
        return house

    def tell(listening: Endpoints) -> None:
        ready([*listening, *links])  # which no log has
        links.clear()

    runtime.run_server("web", read, made, tell, alone=alone)
    if any(house.reads_on for house in houses):
        # All data is on disk; a normal exit would wait for the thread.
        sys.stdout.flush()
        os._exit(0)
