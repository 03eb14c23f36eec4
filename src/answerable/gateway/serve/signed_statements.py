"""Watch the signed statements in the store, and distribute them to the workers.

A worker gets every change, and starts with the statements that are valid by then. A
break-glass exception of two persons is visible in the log, in the metrics, and at every
call that passes because of it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from answerable.gateway.serve.control_channel import (
    BaselinesChanged,
    ExceptionsChanged,
    PersonRequestsChanged,
)
from answerable.gateway.serve.worker_process import WorkerProcess
from answerable.model.person_request import PersonRequest
from answerable.model.policy_exception import PolicyException, PolicyExceptionKind
from answerable.server.active_policy_exceptions import PolicyExceptions
from answerable.server.approval_notifications.owner_notifier import OwnerNotifier
from answerable.server.baseline_watch import BaselineWatch, ValidBaseline
from answerable.server.operator_log import LogField, OperatorLog
from answerable.server.person_request_watch import PersonRequestWatch
from answerable.server.policy_exception_watch import PolicyExceptionWatch


class SignedStatementDistributor:
    """Distributor of policy exceptions, baselines and person requests to workers.

    Args:
        root: Folder of the store.
        children: Processes of the workers.
        log: Log of the supervisor.

    Attributes:
        standing: Policy exceptions in force.
        requests: Requests of persons in force.
        teller: Notifies owners of approval requests.
    """

    def __init__(
        self, root: Path, children: Sequence[WorkerProcess], log: OperatorLog
    ) -> None:
        self.standing: PolicyExceptions = ()
        self.baselines: tuple[ValidBaseline, ...] = ()
        self.requests: tuple[PersonRequest, ...] = ()
        self._amendments = PolicyExceptionWatch(
            root,
            self._distribute_exceptions,
            self._log_rejected_exception,
            self._log_unreadable_store,
        )
        self._baselines = BaselineWatch(
            root,
            self._distribute_baselines,
            self._log_rejected_baseline,
            self._log_unreadable_store,
        )
        self._requests = PersonRequestWatch(
            root,
            self._distribute_requests,
            self._log_rejected_request,
            self._log_unreadable_store,
        )
        self._children, self._log = children, log
        self.teller = OwnerNotifier(self._amendments, self._log_undelivered)

    async def refresh(self) -> None:
        """Read the store once now."""
        await self._amendments.refresh()
        await self._baselines.refresh()
        await self._requests.refresh()

    async def keep_fresh(self) -> None:
        """Read the store periodically, until cancelled."""
        await asyncio.gather(
            self._amendments.poll_forever(),
            self._baselines.poll_forever(),
            self._requests.poll_forever(),
        )

    @property
    def break_glass_count(self) -> int:
        """Number of break-glass exceptions in force."""
        kind = PolicyExceptionKind.BREAK_GLASS
        return sum(each.kind is kind for each in self.standing)

    async def close(self) -> None:
        """Stop watching and notifying."""
        await self.teller.close()
        await self._amendments.close()
        await self._baselines.close()
        await self._requests.close()

    def _log_undelivered(self, host: str, decision: str, reason: str) -> None:
        """Log an approval request that its owner did not receive."""
        self._log.warning("ask.not-told", host=host, decision=decision, why=reason)

    def _distribute_exceptions(self, exceptions: PolicyExceptions) -> None:
        """Send the valid policy exceptions to every worker; log the changes."""
        before, self.standing = self.standing, exceptions
        for child in self._children:
            child.send(ExceptionsChanged(exceptions))
        for each in exceptions:
            if each not in before:
                self._log_exception("in-force", each)
        for each in before:
            if each not in exceptions:
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

    def _distribute_baselines(self, baselines: tuple[ValidBaseline, ...]) -> None:
        """Send the valid baselines to every worker; log the changes."""
        before, self.baselines = self.baselines, baselines
        for child in self._children:
            child.send(BaselinesChanged(baselines))
        for each in baselines:
            if each not in before:
                self._log_baseline("in-force", each)
        for each in before:
            if each.subject not in {other.subject for other in baselines}:
                self._log_baseline("over", each)

    def _log_baseline(self, change: str, baseline: ValidBaseline) -> None:
        """Log that a baseline begins or ends."""
        self._log.info(
            f"baseline.{change}",
            digest=baseline.digest,
            agent=baseline.subject.agent,
            server=baseline.subject.server,
            stage=baseline.stage.value,
        )

    def _distribute_requests(self, requests: tuple[PersonRequest, ...]) -> None:
        """Send the valid requests of persons to every worker; log new ones."""
        before, self.requests = {each.id for each in self.requests}, requests
        for child in self._children:
            child.send(PersonRequestsChanged(requests))
        for each in requests:
            if each.id not in before:
                # Without the values that it names, which are private.
                self._log.info(
                    "request.in-force", id=each.id, agent=each.agent, until=each.until
                )

    def _log_rejected_request(self, digest: str, reason: str) -> None:
        """Log a signed request of a person that is invalid."""
        self._log.warning("request.refused", id=digest, why=reason)

    def _log_rejected_baseline(self, digest: str, reason: str) -> None:
        """Log a signed baseline that is invalid."""
        self._log.warning("baseline.refused", id=digest, why=reason)

    def _log_rejected_exception(self, digest: str, reason: str) -> None:
        """Log a signed policy exception that is invalid."""
        self._log.warning("amendment.refused", id=digest, why=reason)

    def _log_unreadable_store(self, reason: str) -> None:
        """Log that the store of signed statements cannot be read."""
        self._log.error("amendments.unread", why=reason)
