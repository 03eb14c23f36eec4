"""Recorder of a wrapper, which sends approval requests without a supervisor."""

from collections.abc import Callable

from answerable.gateway.recording.recorder import Facts, Recorder
from answerable.model.approval_request import Asks
from answerable.model.caller import Caller
from answerable.model.decision import Decision
from answerable.model.errors import EnvironmentRefused
from answerable.server.approval_notifications.owner_notifier import Teller
from answerable.server.mcp.call import Call
from answerable.server.policy_exception_watch import AmendmentWatch

HeldBack = Callable[[Caller, Call, Decision, str], None]


class Telling(Recorder):
    """Recorder that reports denied calls.

    Attributes:
        held_back: Called for calls that do not go on; None for none.
    """

    held_back: HeldBack | None = None

    def _put(self, facts: Facts) -> None:
        super()._put(facts)
        if not facts.decision.passes and self.held_back is not None:
            self.held_back(facts.caller, facts.call, facts.decision, facts.ticket.id)


def teller_of(
    asks: Asks | None, amendments: AmendmentWatch, tell: Callable[[str], None]
) -> Teller:
    """Build the notifier of owners; calls go on without one.

    Args:
        asks: Webhook and rate limits; None for no notification.
        amendments: Watch that knows the owners of agents.
        tell: Writes a line to standard error.
    """
    teller = Teller(
        amendments,
        lambda host, decision, why: tell(
            f"the webhook at {host} did not accept decision {decision} ({why})"
        ),
    )
    try:
        teller.use(teller.made(asks))
    except EnvironmentRefused as error:
        tell(f"owners are not notified of denied calls: {error.message}")
    return teller
