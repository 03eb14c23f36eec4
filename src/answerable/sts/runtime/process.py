"""Run the token service as a process, under its own user with its own folder.

It reads attested owners from the store and writes its evidence there.
"""

import sys
from collections.abc import Callable

from answerable.server import runtime
from answerable.server.runtime import Endpoints
from answerable.sts.runtime.app import StsApp
from answerable.sts.runtime.settings import StsSettings

# Switch interval of the interpreter, so that the evidence writer thread waits less;
# Python's default is five times that.
SWITCH_INTERVAL = 0.001


def run_server(
    load_settings: Callable[[], StsSettings],
    ready: Callable[[Endpoints], None],
    *,
    alone: bool = True,
) -> None:
    """Run the token service until a signal stops it.

    Args:
        ready: Called with the listeners once they are open.
        alone: False if a parent process started it and ends with it.

    Raises:
        AnswerableError: The settings cannot be loaded or served.
    """
    sys.setswitchinterval(SWITCH_INTERVAL)
    runtime.run_server("sts", load_settings, StsApp.open, ready, alone=alone)
