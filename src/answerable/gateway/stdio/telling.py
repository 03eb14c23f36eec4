"""A wrapper tells owners of what it held back: it has no supervisor that would."""

from collections.abc import Callable

from answerable.gateway.recording.recorder import Facts, Recorder
from answerable.model.ask import Asks
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.model.errors import EnvironmentRefused
from answerable.serving.amendments import AmendmentWatch
from answerable.serving.asking.teller import Teller
from answerable.serving.mcp.call import Call

HeldBack = Callable[[Caller, Call, Decision, str], None]


class Telling(Recorder):
    """A recorder that tells of what it records.

    Attributes:
        held_back: Hears of calls that do not go on, None for nobody.
    """

    held_back: HeldBack | None = None

    def _put(self, facts: Facts) -> None:
        super()._put(facts)
        if not facts.decision.passes and self.held_back is not None:
            self.held_back(facts.caller, facts.call, facts.decision, facts.ticket.id)


def teller_of(
    asks: Asks | None, amendments: AmendmentWatch, tell: Callable[[str], None]
) -> Teller:
    """Make what tells owners; calls go on where nothing can.

    Args:
        asks: Where owners hear of it; None for nowhere.
        amendments: Knows the owners of agents.
        tell: Is given sentences for whoever reads standard error.
    """
    teller = Teller(
        amendments,
        lambda host, decision, why: tell(
            f"the webhook at {host} did not hear of {decision} ({why})"
        ),
    )
    try:
        teller.use(teller.made(asks))
    except EnvironmentRefused as error:
        tell(f"no owner hears of what is held back: {error.message}")
    return teller
