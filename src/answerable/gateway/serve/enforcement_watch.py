"""Report where a configuration ends the enforcement of an agent.

Each start and reload compares the modes of the file with those recorded last in the
store. An agent that was enforced and no longer is appears in the log with its name, in
the store, and in the readiness document as a number, until `ends_enforcement` of the
file names it or its mode is `enforce` again. The declared agents and their owners are
recorded in the inventory with the modes.
"""

import asyncio
import time
from pathlib import Path

from answerable.model.config import Config
from answerable.model.enforcement_modes import EndedEnforcement, RecordedModes
from answerable.model.errors import AnswerableError
from answerable.server.operator_log import OperatorLog
from answerable.services.authorization.recorded_modes import record_modes
from answerable.services.inventory.declared_agents import record_declared_agents
from answerable.store.store import EvidenceStore


class EnforcementWatch:
    """Comparison of applied configurations with the recorded one.

    Args:
        store: Folder of the store.
        log: Log of the supervisor.
    """

    def __init__(self, store: Path, log: OperatorLog) -> None:
        self._store, self._log = store, log
        self._unconfirmed = 0
        self._failure = ""

    @property
    def has_failed(self) -> bool:
        """True where the applied configuration could not be compared and recorded."""
        return bool(self._failure)

    @property
    def warnings(self) -> list[str]:
        """Warnings for the readiness document, which an agent on this host may read."""
        if self._failure:
            return ["the modes cannot be compared with those of the last configuration"]
        if not self._unconfirmed:
            return []
        return [
            f"enforcement ended for {self._unconfirmed} agents that "
            "`ends_enforcement` does not list: see enforcement.ended in the log, "
            "or run `answerable doctor`"
        ]

    async def compare(self, config: Config) -> None:
        """Compare an applied configuration with the last one, record and log it."""
        try:
            modes, previous = await asyncio.to_thread(self._record_modes, config)
        except AnswerableError as error:
            if error.message != self._failure:
                self._log.error("enforcement.not-recorded", why=error.message)
            self._failure = error.message
            return
        self._failure, self._unconfirmed = "", len(modes.unconfirmed)
        before = () if previous is None else previous.ended
        known = {each.subject for each in before}
        ended = {each.subject: each for each in modes.ended}
        self._log_subjects(
            "enforcement.ended",
            [each for subject, each in ended.items() if subject not in known],
        )
        self._log_subjects(
            "enforcement.unconfirmed",
            [each for each in modes.unconfirmed if each.subject in known],
        )
        if restored := sorted(known - ended.keys()):
            self._log.info("enforcement.restored", subjects=restored)

    def _log_subjects(self, event: str, ended: list[EndedEnforcement]) -> None:
        """Log agents that are no longer enforced."""
        if ended:
            self._log.warning(
                event,
                subjects=[f"{each.subject}: enforce to {each.mode}" for each in ended],
                unconfirmed=[each.subject for each in ended if not each.confirmed],
            )

    def _record_modes(
        self, config: Config
    ) -> tuple[RecordedModes, RecordedModes | None]:
        """Record the declared agents and the modes in the store, in a thread."""
        now = time.time_ns()
        with EvidenceStore.open(self._store, now=now) as store:
            record_declared_agents(store, config, read_at=now, now=now)
            return record_modes(store, config, now)
