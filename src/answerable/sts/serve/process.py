"""Process of the token service, under its own user with its own folder.

It reads attested owners from the store and writes its evidence there.
"""

import sys
from collections.abc import Callable

from answerable.serving import process
from answerable.serving.process import Listening
from answerable.sts.serve.house import House
from answerable.sts.serve.plan import Plan

# Switch interval of the interpreter, so that the evidence writer thread waits less;
# Python's default is five times that.
SWITCH = 0.001


def serve(
    read: Callable[[], Plan], ready: Callable[[Listening], None], *, alone: bool = True
) -> None:
    """Serve a configuration until told to end.

    Args:
        ready: Called with the listeners once they are open.
        alone: False if a parent process started it and ends with it.

    Raises:
        AnswerableError: The settings cannot be loaded or served.
    """
    sys.setswitchinterval(SWITCH)
    process.serve("sts", read, House.open, ready, alone=alone)
