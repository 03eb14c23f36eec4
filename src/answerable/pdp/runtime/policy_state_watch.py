"""Watch the state that overrides policy: revocations, pins, exceptions, baselines.

It is read from the gateway's folder and the store, and never written.
"""

import asyncio
from pathlib import Path

from answerable.model.approval_request import ApprovalRequestConfig
from answerable.model.config import Config
from answerable.model.errors import EnvironmentFailure
from answerable.pdp.baseline_guard import BaselineGuard
from answerable.pdp.recording.evaluation_recorder import EvaluationRecorder
from answerable.pdp.runtime.settings import PdpSettings
from answerable.server.approval_notifications.owner_notifier import OwnerNotifier
from answerable.server.enforced_statements import EnforcedStatements
from answerable.server.operator_log import OperatorLog
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_log import PinLogNotices, escape_name
from answerable.server.pins.pin_watch import PinWatch
from answerable.server.revocation_list import RevocationList, RevocationWatch
from answerable.server.revocation_notices import RevocationNotices
from answerable.server.statement_watch import StatementWatch
from answerable.services.statements.attested_owners import AttestedOwnerReader
from answerable.services.statements.policy_exceptions import PolicyExceptionReader
from answerable.services.statements.signed_baselines import SignedBaselineReader
from answerable.usecases.authorization.authorize import Authorizer


class PolicyStateWatch:
    """Watch of the state that overrides the policy.

    Attributes:
        pins: Approved tools and servers.
        behaviour: Guard for enforced baselines.
        teller: Notifies owners of approval requests.

    Raises:
        EnvironmentFailure: Revocations or pins cannot be read.
    """

    def __init__(
        self,
        plan: PdpSettings,
        authority: Authorizer,
        recorder: EvaluationRecorder,
        log: OperatorLog,
    ) -> None:
        loop = asyncio.get_running_loop()
        shared: Path = plan.gateway_state
        self._log, told = log, RevocationNotices(recorder, log)
        self.kills = RevocationWatch(
            RevocationList(plan.store, shared),
            authority,
            loop,
            told.report_changes,
            told.report_unreadable,
        )
        self.pins = PinWatch(
            PinFiles(shared),
            plan.config.servers,
            authority,
            loop,
            PinLogNotices(log),
        )
        self.behaviour = BaselineGuard(plan.config)
        self._enforced = EnforcedStatements(authority, self.behaviour, loop)
        self.statements = StatementWatch(
            plan.store,
            (PolicyExceptionReader, SignedBaselineReader, AttestedOwnerReader),
            self._enforced.apply,
            self._log_rejected,
            self._log_unreadable_store,
        )
        self.teller = OwnerNotifier(self.statements, self._log_undelivered)
        self._asks: ApprovalRequestConfig | None = None
        self._configure_notifier(plan.config.asks)

    def reconfigure(self, config: Config) -> None:
        """Watch the servers of another configuration.

        Raises:
            EnvironmentFailure: Their pins cannot be read; the current ones stay.
        """
        self.pins.reconfigure(config.servers)
        self.behaviour.reconfigure(config)
        self._configure_notifier(config.asks)

    async def close(self) -> None:
        """Stop watching."""
        self.kills.close()
        self.pins.close()
        self._enforced.close()
        await self.teller.close()
        await self.statements.close()

    def log_unusable_mapping(self, server: str, tool: str, reason: str) -> None:
        """Log an approved mapping that cannot be used."""
        subject = escape_name(f"tool:mcp/{server}/{tool}")
        self._log.warning("mapping.refused", subject=subject, why=reason)

    def _configure_notifier(self, config: ApprovalRequestConfig | None) -> None:
        """Configure notifications to owners; evaluations continue if that fails."""
        if config == self._asks:
            return
        self._asks = config
        try:
            self.teller.set_webhook(self.teller.build_webhook(config))
        except EnvironmentFailure as error:
            self.teller.set_webhook(None)
            self._log.warning("asks.nobody-told", why=error.message)

    def _log_undelivered(self, host: str, decision: str, reason: str) -> None:
        """Log an approval request that its owner did not receive."""
        self._log.warning("ask.not-told", host=host, decision=decision, why=reason)

    def _log_rejected(self, noun: str, digest: str, reason: str) -> None:
        """Log a signed statement that is invalid."""
        self._log.warning(f"{noun}.refused", id=digest, why=reason)

    def _log_unreadable_store(self, reason: str) -> None:
        """Log that the store of signed statements cannot be read."""
        self._log.error("amendments.unread", why=reason)
