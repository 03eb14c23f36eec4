"""State that overrides the policy: revocations, pins, signed exceptions, baselines.

It is read from the gateway's folder and the store, and never written.
"""

import asyncio
from pathlib import Path

from answerable.model.approval_request import Asks
from answerable.model.config import Config
from answerable.model.errors import EnvironmentRefused
from answerable.pdp.baseline_guard import Behaviour
from answerable.pdp.recording.evaluation_recorder import Recorder
from answerable.pdp.runtime.settings import Plan
from answerable.server.active_policy_exceptions import InForce
from answerable.server.approval_notifications.owner_notifier import Teller
from answerable.server.baseline_watch import BaselineWatch
from answerable.server.operator_log import Log
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_log import PinTold, spelled
from answerable.server.pins.pin_watch import PinWatch
from answerable.server.policy_exception_watch import AmendmentWatch
from answerable.server.revocation_list import KillList, KillWatch
from answerable.server.revocation_notices import KillsTold
from answerable.usecases.authorization.authorize import Authority


class Standing:
    """Watch of the state that overrides the policy.

    Attributes:
        pins: Approved tools and servers.
        behaviour: Guard for enforced baselines.
        teller: Notifies owners of approval requests.

    Raises:
        EnvironmentRefused: Revocations or pins cannot be read.
    """

    def __init__(
        self, plan: Plan, authority: Authority, recorder: Recorder, log: Log
    ) -> None:
        loop = asyncio.get_running_loop()
        shared: Path = plan.shared
        self._log, told = log, KillsTold(recorder, log)
        self.kills = KillWatch(
            KillList(plan.store, shared),
            authority,
            loop,
            told.changed,
            told.unread,
        )
        self.pins = PinWatch(
            *(PinFiles(shared), plan.config.servers, authority, loop), PinTold(log)
        )
        self._in_force = InForce(authority, loop)
        self.amendments = AmendmentWatch(
            plan.store, self._in_force.take, self._unheld, self._unsigned
        )
        self.teller = Teller(self.amendments, self._untold)
        self._asks: Asks | None = None
        self._tell(plan.config.asks)
        self.behaviour = Behaviour(plan.config)
        self.baselines = BaselineWatch(
            plan.store, self.behaviour.hold_to, self._unheld_baseline, self._unsigned
        )

    def swap(self, config: Config) -> None:
        """Watch the servers of another configuration.

        Raises:
            EnvironmentRefused: Their pins cannot be read; the current ones stay.
        """
        self.pins.swap(config.servers)
        self.behaviour.swap(config)
        self._tell(config.asks)

    async def refresh(self) -> None:
        """Read signed statements again."""
        await self.amendments.refresh()
        await self.baselines.refresh()

    async def keep_fresh(self) -> None:
        """Refresh periodically, until cancelled."""
        await asyncio.gather(self.amendments.keep_fresh(), self.baselines.keep_fresh())

    async def close(self) -> None:
        """Stop watching."""
        self.kills.close()
        self.pins.close()
        self._in_force.close()
        await self.teller.close()
        await self.amendments.close()
        await self.baselines.close()

    def unmapped(self, server: str, tool: str, why: str) -> None:
        """Log an approved mapping that cannot be used."""
        subject = spelled(f"tool:mcp/{server}/{tool}")
        self._log.warning("mapping.refused", subject=subject, why=why)

    def _tell(self, asks: Asks | None) -> None:
        """Configure notifications to owners; evaluations continue if that fails."""
        if asks == self._asks:
            return
        self._asks = asks
        try:
            self.teller.use(self.teller.made(asks))
        except EnvironmentRefused as error:
            self.teller.use(None)
            self._log.warning("asks.nobody-told", why=error.message)

    def _untold(self, host: str, decision: str, why: str) -> None:
        self._log.warning("ask.not-told", host=host, decision=decision, why=why)

    def _unheld(self, digest: str, why: str) -> None:
        self._log.warning("amendment.refused", id=digest, why=why)

    def _unheld_baseline(self, digest: str, why: str) -> None:
        self._log.warning("baseline.refused", id=digest, why=why)

    def _unsigned(self, why: str) -> None:
        self._log.error("amendments.unread", why=why)
