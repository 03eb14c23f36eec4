"""Process of the web interface; it reads the store under any user with access."""

import os
import sys
from collections.abc import Callable

from answerable.server import runtime
from answerable.server.operator_log import Log
from answerable.server.runtime import Listening
from answerable.web.runtime.app import House
from answerable.web.runtime.settings import Plan


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
    links: Listening = []
    houses: list[House] = []

    async def made(plan: Plan, log: Log) -> House:
        house = await House.open(plan, log)
        houses.append(house)
        links.extend(house.links())
        return house

    def tell(listening: Listening) -> None:
        ready([*listening, *links])  # which no log has
        links.clear()

    runtime.serve("web", read, made, tell, alone=alone)
    if any(house.reads_on for house in houses):
        # All data is on disk; a normal exit would wait for the thread.
        sys.stdout.flush()
        os._exit(0)
