"""Run the web server process until a signal ends it."""

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
    """Serve a configuration until the process is told to stop.

    Args:
        ready: Called with the listeners once they are open.
        alone: False if a parent process started it and ends with it.

    Raises:
        AnswerableError: The settings cannot be loaded or served.
    """
    links: Endpoints = []
    apps: list[WebApp] = []

    async def open_app(settings: WebSettings, log: OperatorLog) -> WebApp:
        app = await WebApp.open(settings, log)
        apps.append(app)
        links.extend(app.pop_sign_in_link())
        return app

    def report_ready(listening: Endpoints) -> None:
        ready([*listening, *links])  # the link is never logged
        links.clear()

    runtime.run_server("web", read, open_app, report_ready, alone=alone)
    if any(app.reads_on for app in apps):
        # All data is on disk; a normal exit would wait for the thread.
        sys.stdout.flush()
        os._exit(0)
