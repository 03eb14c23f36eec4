"""Run the decision point as a process of the gateway's user."""

from collections.abc import Callable

from answerable.pdp.runtime.app import PdpApp
from answerable.pdp.runtime.settings import PdpSettings
from answerable.server import runtime
from answerable.server.runtime import Endpoints


def run_server(
    load: Callable[[], PdpSettings],
    on_ready: Callable[[Endpoints], None],
    *,
    alone: bool = True,
) -> None:
    """Serve a configuration until a signal stops the process.

    Args:
        on_ready: Called with the listeners once they are open.
        alone: False if a parent process started it and ends with it.

    Raises:
        AnswerableError: The settings cannot be loaded or served.
    """
    runtime.run_server("decisions", load, PdpApp.open, on_ready, alone=alone)
