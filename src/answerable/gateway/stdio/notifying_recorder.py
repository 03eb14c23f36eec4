"""Record the decisions of a stdio wrapper, and notify owners of denied calls."""

from collections.abc import Callable

from answerable.gateway.recording.recorder import DecisionFacts, GatewayRecorder
from answerable.model.approval_request import ApprovalRequestConfig
from answerable.model.caller import VerifiedCaller
from answerable.model.decision import Decision
from answerable.model.errors import EnvironmentFailure
from answerable.server.approval_notifications.owner_notifier import OwnerNotifier
from answerable.server.mcp.call import McpCall
from answerable.server.statement_watch import StatementWatch

HeldCallListener = Callable[[VerifiedCaller, McpCall, Decision, str], None]


class NotifyingRecorder(GatewayRecorder):
    """Recorder that reports denied calls.

    Attributes:
        held_back: Called for calls that do not go on; None for none.
    """

    held_back: HeldCallListener | None = None

    def _write_decision(self, facts: DecisionFacts) -> None:
        """Write the record of a decision; notify the owner if it is a denial."""
        super()._write_decision(facts)
        if not facts.decision.passes and self.held_back is not None:
            self.held_back(facts.caller, facts.call, facts.decision, facts.ticket.id)


def build_notifier(
    config: ApprovalRequestConfig | None,
    statement_watch: StatementWatch,
    print_line: Callable[[str], None],
) -> OwnerNotifier:
    """Build the notifier of owners; calls go on without one.

    Args:
        config: Webhook and rate limits; None for no notification.
        statement_watch: Watch that knows the owners of agents.
        print_line: Writes a line to standard error.
    """
    teller = OwnerNotifier(
        statement_watch,
        lambda host, decision, why: print_line(
            f"the webhook at {host} did not accept decision {decision} ({why})"
        ),
    )
    try:
        teller.set_webhook(teller.build_webhook(config))
    except EnvironmentFailure as error:
        print_line(f"owners are not notified of denied calls: {error.message}")
    return teller
