"""Enforcement core: what decides in one process, assembled once for every transport.

Policy, revocations, pins, signed statements and the recorder of decisions work alike in
a gateway worker, a stdio wrapper and a decision point; each brings its own transport.
The hook of a coding agent decides once, in `single_decision`.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from typing import Generic, Protocol, TypeVar

from answerable.authorization.decision_table import DecisionTable
from answerable.authorization.revocations import Revocations, revoked_key_ids
from answerable.model.config import Config
from answerable.model.ids import AgentId
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.enforced_statements import EnforcedStatements, StatementTarget
from answerable.server.enforcement.operator_notices import EnforcementNotices
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.enforcement.statements import WatchedStatements
from answerable.server.issuers.key_cache import IssuerKeyCache
from answerable.server.pins.pin_files import PinFiles
from answerable.server.pins.pin_watch import PinWatch
from answerable.server.recording.server_recorder import ServerRecorder
from answerable.server.revocation_list import RevocationList, RevocationWatch
from answerable.services.statements.statements_in_force import (
    StatementKind,
    StatementsInForce,
)
from answerable.usecases.authorization.authorize import Authorizer


class BaselineControl(StatementTarget, Protocol):
    """Part that holds calls to signed baselines."""

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration."""


PinsT = TypeVar("PinsT", bound=PinWatch)
BaselinesT = TypeVar("BaselinesT", bound=BaselineControl)


class EnforcementCore(Generic[PinsT, BaselinesT]):
    """Policy, revocations, pins and signed statements in force in one process.

    Args:
        recorder: Records revocations here, and decisions for the transport.
        notices: Receives changes and failures.
        pin_watch: Class of the pins: one that only reads them, or learns them too.
        build_baselines: Builds the part that holds calls to baselines, given the pins.

    Attributes:
        authorizer: Decides requests.
        revocations: Watch over the revocation list.
        pins: Pinned definitions of servers.
        baselines: Holds calls to signed baselines.

    Raises:
        EnvironmentFailure: Revocations or pins cannot be read.
    """

    def __init__(
        self,
        settings: EnforcementSettings,
        recorder: ServerRecorder,
        notices: EnforcementNotices,
        pin_watch: Callable[..., PinsT],
        build_baselines: Callable[[PinsT], BaselinesT],
    ) -> None:
        loop = asyncio.get_running_loop()
        self._settings, self._recorder, self._notices = settings, recorder, notices
        self._authenticators: list[CallerAuthenticator] = []
        self._statements: WatchedStatements | None = None
        self.authorizer = Authorizer(settings.table)
        self.authorizer.add_revocation_listener(self._reject_revoked_keys)
        self.pins = pin_watch(
            PinFiles(settings.state),
            settings.config.servers,
            self.authorizer,
            loop,
            notices,
        )
        self.revocations = RevocationWatch(
            RevocationList(settings.store, settings.state),
            self.authorizer,
            loop,
            self._on_revocations_changed,
            notices.on_unreadable_revocations,
        )
        self.baselines = build_baselines(self.pins)
        self._enforced = EnforcedStatements(self.authorizer, self.baselines, loop)

    def build_authenticator(
        self, config: Config, secret: bytes, inventory: frozenset[AgentId] = frozenset()
    ) -> CallerAuthenticator:
        """Build an authenticator that rejects tokens of revoked signing keys.

        Args:
            secret: For nonces of DPoP proofs.
            inventory: Ids of discovered agents.
        """
        built = CallerAuthenticator(
            config,
            IssuerKeyCache(config.issuers),
            time.time,
            secret=secret,
            inventory=inventory,
        )
        self._authenticators.append(built)
        self._reject_revoked_keys(self.authorizer.revocations)
        return built

    def watch_statements(self, kinds: Sequence[StatementKind]) -> WatchedStatements:
        """Apply signed statements as the store has them, once it is polled."""
        self._statements = WatchedStatements(
            self._settings.store, kinds, self._enforced.apply, self._notices
        )
        self._statements.configure_notifier(self._settings.config.asks)
        return self._statements

    def apply_statements(self, statements: StatementsInForce) -> None:
        """Apply signed statements that another process has read."""
        self._enforced.apply(statements)

    def reconfigure(self, config: Config, table: DecisionTable) -> None:
        """Decide by another configuration from the next request on.

        `pins.reconfigure` comes before, with the other parts that may refuse it.
        """
        self.baselines.reconfigure(config)
        if self._statements is not None:
            self._statements.configure_notifier(config.asks)
        self.authorizer.replace_policy(table)

    def abort(self) -> None:
        """Stop watching, without writing anything: the start has failed."""
        self.revocations.close()
        self.pins.close()
        self._enforced.close()

    async def close(self, seconds: float = 0.0) -> None:
        """Stop watching, and write pending observations of pins.

        Args:
            seconds: Time limit for queued notifications of owners.
        """
        self.abort()
        await self.pins.flush()
        if self._statements is not None:
            await self._statements.close(seconds)

    def _reject_revoked_keys(self, _: Revocations) -> None:
        """Reject tokens that revoked keys of our token service signed."""
        kids = revoked_key_ids(self.authorizer.revocations)
        for each in self._authenticators:
            each.revoke_keys(kids)

    def _on_revocations_changed(
        self, revoked: Revocations, reinstated: Revocations
    ) -> None:
        """Record and report revocations and reinstatements that took effect here."""
        self._reject_revoked_keys(self.authorizer.revocations)
        self._recorder.record_revocations(revoked, reinstated)
        self._notices.on_revocations_changed(revoked, reinstated)
