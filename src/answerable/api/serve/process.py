"""The process: it runs as the gateway's user, whose kills it watches."""

from collections.abc import Callable

from answerable.api.serve.house import House
from answerable.api.serve.plan import Plan
from answerable.serving import process
from answerable.serving.process import Listening


def serve(
    read: Callable[[], Plan], ready: Callable[[Listening], None], *, alone: bool = True
) -> None:
    """Serve what a configuration asks for, until told to end.

    Args:
        read: Reads it.
        ready: Told where the decision point can be reached, once it can.
        alone: Nobody started it beside themselves, to end with them.

    Raises:
        AnswerableError: It cannot be read, or cannot be served.
    """
    process.serve("decisions", read, House.open, ready, alone=alone)
