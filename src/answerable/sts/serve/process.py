"""The process: it runs under its own user, with its own folder.

Of the store it reads who has an attested owner, and writes there its evidence.
"""

import sys
from collections.abc import Callable

from answerable.serving import process
from answerable.serving.process import Listening
from answerable.sts.serve.house import House
from answerable.sts.serve.plan import Plan

# Seconds for which the thread that writes evidence may be kept waiting for the
# interpreter, each time it needs it; Python's own default is five times that.
SWITCH = 0.001


def serve(
    read: Callable[[], Plan], ready: Callable[[Listening], None], *, alone: bool = True
) -> None:
    """Serve what a configuration asks for, until told to end.

    Args:
        read: Reads it.
        ready: Told where the token service can be reached, once it can.
        alone: Nobody started it beside themselves, to end with them.

    Raises:
        AnswerableError: It cannot be read, or cannot be served.
    """
    sys.setswitchinterval(SWITCH)
    process.serve("sts", read, House.open, ready, alone=alone)
