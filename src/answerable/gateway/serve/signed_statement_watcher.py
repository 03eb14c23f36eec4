"""Watch the store for statements signed by persons, and send them to the workers.

A worker gets every change, and starts with the statements that are valid by then. A
break-glass exception of two persons is visible in the log, in the metrics, and at every
call that passes because of it.
"""

from collections.abc import Sequence
from pathlib import Path

from answerable.gateway.serve.control_channel import StatementsChanged
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from answerable.server.enforcement.operator_notices import LogNotices
from answerable.server.enforcement.statements import WatchedStatements
from answerable.server.operator_log import LogField, OperatorLog
from answerable.services.statements.person_requests import PersonRequestReader
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import (
    ActiveBaseline,
    SignedBaselineReader,
)
from answerable.services.statements.statements_in_force import (
    ENFORCED_KINDS,
    EncodedStatements,
    StatementsInForce,
)


class SignedStatementDistributor(WatchedStatements):
    """Distributor of signed statements to workers.

    Args:
        root: Folder of the store.
        children: Processes of the workers.
        log: Log of the supervisor.
    """

    def __init__(
        self, root: Path, children: Sequence[WorkerProcess], log: OperatorLog
    ) -> None:
        self._children, self._log = children, log
        self._sent = StatementsInForce()
        super().__init__(
            root, ENFORCED_KINDS, self._distribute_changed_kinds, LogNotices(log)
        )

    def encode(self) -> EncodedStatements:
        """Encode all statements in force, for a worker that starts."""
        return self._sent.encode(StatementsInForce())

    @property
    def exceptions(self) -> tuple[PolicyException, ...]:
        """Policy exceptions in force."""
        return self._sent.get(PolicyExceptionReader)

    @property
    def break_glass_count(self) -> int:
        """Number of break-glass exceptions in force."""
        kind = PolicyExceptionKind.BREAK_GLASS
        return sum(each.kind is kind for each in self.exceptions)

    def _distribute_changed_kinds(self, statements: StatementsInForce) -> None:
        """Send the changed kinds to every worker; log the changes."""
        before, self._sent = self._sent, statements
        encoded = statements.encode(before)
        for child in self._children if encoded else ():
            child.send(StatementsChanged(encoded))
        self._log_exceptions(before, statements)
        self._log_baselines(before, statements)
        self._log_requests(before, statements)

    def _log_exceptions(
        self, before: StatementsInForce, after: StatementsInForce
    ) -> None:
        """Log each signed policy exception that begins or ends."""
        old, new = before.get(PolicyExceptionReader), after.get(PolicyExceptionReader)
        for each in new:
            if each not in old:
                self._log_exception("in-force", each)
        for each in old:
            if each not in new:
                self._log_exception("over", each)

    def _log_exception(self, change: str, exception: PolicyException) -> None:
        """Log that a policy exception begins or ends."""
        # Without the name of the tool, which a caller chose.
        fields: dict[str, LogField] = {
            "id": exception.id,
            "agent": exception.agent,
            "server": exception.server,
            "persons": list(exception.persons),
            "until": exception.until,
        }
        if exception.kind is PolicyExceptionKind.BREAK_GLASS:
            self._log.error(f"break-glass.{change}", **fields)
        else:
            self._log.info(f"amendment.{change}", **fields)

    def _log_baselines(
        self, before: StatementsInForce, after: StatementsInForce
    ) -> None:
        """Log each baseline that begins, and each subject that has none any more."""
        old, new = before.get(SignedBaselineReader), after.get(SignedBaselineReader)
        if old is new:  # comparing large profiles takes a while
            return
        subjects = {each.subject for each in new}
        for each in new:
            if each not in old:
                self._log_baseline("in-force", each)
        for each in old:
            if each.subject not in subjects:
                self._log_baseline("over", each)

    def _log_baseline(self, change: str, baseline: ActiveBaseline) -> None:
        """Log that a signed baseline begins or ends to be in force."""
        self._log.info(
            f"baseline.{change}",
            digest=baseline.digest,
            agent=baseline.subject.agent,
            server=baseline.subject.server,
            stage=baseline.stage.value,
        )

    def _log_requests(
        self, before: StatementsInForce, after: StatementsInForce
    ) -> None:
        """Log each signed request of a person that is newly in force."""
        known = {each.id for each in before.get(PersonRequestReader)}
        for each in after.get(PersonRequestReader):
            if each.id not in known:
                # Without the values that it names, which are private.
                self._log.info(
                    "request.in-force", id=each.id, agent=each.agent, until=each.until
                )
