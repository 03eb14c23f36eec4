"""Process of the decision point; it runs as the gateway's user."""

from collections.abc import Callable

from answerable.api.serve.house import House
from answerable.api.serve.plan import Plan
from answerable.serving import process
from answerable.serving.process import Listening


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
    process.serve("decisions", read, House.open, ready, alone=alone)
