"""Process of the decision point; it runs as the gateway's user."""

from collections.abc import Callable

from answerable.pdp.runtime.app import PdpApp
from answerable.pdp.runtime.settings import PdpSettings
from answerable.server import runtime
from answerable.server.runtime import Endpoints


def run_server(
    read: Callable[[], PdpSettings],
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
    runtime.run_server("decisions", read, PdpApp.open, ready, alone=alone)
