"""Calls that were held back and that an owner could let pass, on their way to one.

A worker tells its supervisor, which tells the webhook; a wrapper tells it by itself. All
hold to the same bounds, so an agent that is refused a thousand times a second fills
neither pipe nor channel.
"""

import hashlib
import time
from collections.abc import Callable

from answerable.model.ask import Asked, Asks, Wanted
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.serving.asking.rate import Rate
from answerable.serving.asking.teller import may_be_lifted
from answerable.serving.mcp.call import Call


class HeldBack:
    """Tells of asks as they happen.

    Args:
        asks: How much may be told; None where nobody hears of it.
        say: Is told.
    """

    def __init__(self, asks: Asks | None, say: Callable[[Asked], None]) -> None:
        self._say = say
        self._rate: Rate | None = None
        self.swap(asks)

    def swap(self, asks: Asks | None) -> None:
        """Hold to another configuration from now on."""
        if asks is None:
            self._rate = None
        elif self._rate is None:
            self._rate = Rate(asks.per_agent)
        else:
            self._rate.per_agent = asks.per_agent

    def tell(self, caller: Caller, call: Call, decision: Decision, id: str) -> None:
        """Tell of a call that does not go on, where its owner could have let it.

        Args:
            caller: Who asked.
            call: What.
            decision: What was decided.
            id: Of the decision.
        """
        rate = self._rate
        if rate is None or decision.passes:
            return
        digest = hashlib.sha256(call.arguments).hexdigest() if call.arguments else ""
        wanted = Wanted(caller.agent, call.server, call.target, call.name, digest)
        if may_be_lifted(wanted, decision) and rate.may(wanted, time.monotonic()):
            self._say(Asked(id, wanted))
