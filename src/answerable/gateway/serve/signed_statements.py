"""Signed statements of persons: watched by the supervisor, distributed to workers.

A worker gets every change, and starts with the statements that are valid by then. A
break-glass exception of two persons is visible in the log, in the metrics, and at every
call that passes because of it.
"""

import asyncio
from collections.abc import Sequence
from pathlib import Path

from answerable.gateway.serve.control_channel import Amended, Asking, Baselined
from answerable.gateway.serve.worker_process import Child
from answerable.model.person_request import Requested
from answerable.model.policy_exception import Amendment, AmendmentKind
from answerable.server.active_policy_exceptions import Standing
from answerable.server.approval_notifications.owner_notifier import Teller
from answerable.server.baseline_watch import BaselineWatch, InForce
from answerable.server.operator_log import Field, Log
from answerable.server.person_request_watch import RequestWatch
from answerable.server.policy_exception_watch import AmendmentWatch


class OwnersWord:
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

    def __init__(self, root: Path, children: Sequence[Child], log: Log) -> None:
        self.standing: Standing = ()
        self.baselines: tuple[InForce, ...] = ()
        self.requests: tuple[Requested, ...] = ()
        self._amendments = AmendmentWatch(
            root, self._changed, self._unheld, self._refused
        )
        self._baselines = BaselineWatch(
            root, self._hold_to, self._unheld_baseline, self._refused
        )
        self._requests = RequestWatch(
            root, self._ask, self._unheld_request, self._refused
        )
        self._children, self._log = children, log
        self.teller = Teller(self._amendments, self._untold)

    async def refresh(self) -> None:
        """Read the store once now."""
        await self._amendments.refresh()
        await self._baselines.refresh()
        await self._requests.refresh()

    async def keep_fresh(self) -> None:
        """Read the store periodically, until cancelled."""
        await asyncio.gather(
            self._amendments.keep_fresh(),
            self._baselines.keep_fresh(),
            self._requests.keep_fresh(),
        )

    @property
    def broken_glass(self) -> int:
        """Number of break-glass exceptions in force."""
        kind = AmendmentKind.BREAK_GLASS
        return sum(each.kind is kind for each in self.standing)

    async def close(self) -> None:
        """Stop watching and notifying."""
        await self.teller.close()
        await self._amendments.close()
        await self._baselines.close()
        await self._requests.close()

    def _untold(self, host: str, decision: str, why: str) -> None:
        self._log.warning("ask.not-told", host=host, decision=decision, why=why)

    def _changed(self, standing: Standing) -> None:
        before, self.standing = self.standing, standing
        for child in self._children:
            child.say(Amended(standing))
        for each in standing:
            if each not in before:
                self._tell("in-force", each)
        for each in before:
            if each not in standing:
                self._tell("over", each)

    def _tell(self, what: str, amendment: Amendment) -> None:
        # Without the name of the tool, which a caller chose.
        fields: dict[str, Field] = {
            "id": amendment.id,
            "agent": amendment.agent,
            "server": amendment.server,
            "persons": list(amendment.persons),
            "until": amendment.until,
        }
        if amendment.kind is AmendmentKind.BREAK_GLASS:
            self._log.error(f"break-glass.{what}", **fields)
        else:
            self._log.info(f"amendment.{what}", **fields)

    def _hold_to(self, standing: tuple[InForce, ...]) -> None:
        before, self.baselines = self.baselines, standing
        for child in self._children:
            child.say(Baselined(standing))
        for each in standing:
            if each not in before:
                self._tell_baseline("in-force", each)
        for each in before:
            if each.subject not in {other.subject for other in standing}:
                self._tell_baseline("over", each)

    def _tell_baseline(self, what: str, standing: InForce) -> None:
        self._log.info(
            f"baseline.{what}",
            digest=standing.digest,
            agent=standing.subject.agent,
            server=standing.subject.server,
            stage=standing.stage.value,
        )

    def _ask(self, standing: tuple[Requested, ...]) -> None:
        before, self.requests = {each.id for each in self.requests}, standing
        for child in self._children:
            child.say(Asking(standing))
        for each in standing:
            if each.id not in before:
                # Without the values that it names, which are private.
                self._log.info(
                    "request.in-force", id=each.id, agent=each.agent, until=each.until
                )

    def _unheld_request(self, digest: str, why: str) -> None:
        self._log.warning("request.refused", id=digest, why=why)

    def _unheld_baseline(self, digest: str, why: str) -> None:
        self._log.warning("baseline.refused", id=digest, why=why)

    def _unheld(self, digest: str, why: str) -> None:
        self._log.warning("amendment.refused", id=digest, why=why)

    def _refused(self, why: str) -> None:
        self._log.error("amendments.unread", why=why)
