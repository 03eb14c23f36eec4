"""Assemble the enforcement of the gateway: policy, pins, baselines, call pipeline."""

from collections.abc import Callable, Mapping
from functools import partial

from answerable.authorization.decision_table import DecisionTable
from answerable.gateway.approval_requests import ApprovalRequestNotifier
from answerable.gateway.baseline_enforcement import BaselineEnforcer
from answerable.gateway.call_pipeline import CallPipeline
from answerable.gateway.recording.recorder import GatewayRecorder
from answerable.gateway.replay_buffer import ReplayBuffer
from answerable.gateway.upstream import Upstream
from answerable.gateway.upstream_credentials.provider import CredentialProvider
from answerable.model.approval_request import BlockedCall
from answerable.model.config import Config
from answerable.server.enforcement.core import EnforcementCore
from answerable.server.enforcement.operator_notices import EnforcementNotices
from answerable.server.enforcement.settings import EnforcementSettings
from answerable.server.pins.pin_enforcer import PinEnforcer


class GatewayCore(EnforcementCore[PinEnforcer, BaselineEnforcer]):
    """Enforcement core of a worker or a stdio wrapper.

    Args:
        request_approval: Called with each denied call that its owner could allow.
    """

    def __init__(
        self,
        settings: EnforcementSettings,
        recorder: GatewayRecorder,
        notices: EnforcementNotices,
        request_approval: Callable[[BlockedCall], None],
    ) -> None:
        rejected = partial(notices.on_rejected_statement, "request")
        super().__init__(
            settings,
            recorder,
            notices,
            PinEnforcer,
            lambda pins: BaselineEnforcer(
                settings.config, pins.definition_digest, rejected
            ),
        )
        self._call_recorder = recorder
        self._approvals = ApprovalRequestNotifier(
            settings.config.asks, request_approval
        )
        recorder.held_back = self._approvals.notify

    def build_pipeline(
        self,
        servers: Mapping[str, Upstream],
        credentials: CredentialProvider,
        recent: ReplayBuffer | None = None,
    ) -> CallPipeline:
        """Build the pipeline of checks that every MCP call passes.

        Args:
            servers: Upstreams by name.
            credentials: Credentials for them.
            recent: Buffer of recent calls; None without replays.
        """
        return CallPipeline(
            self.authorizer,
            self._call_recorder,
            servers,
            credentials,
            recent=recent,
            pins=self.pins,
            behaviour=self.baselines,
        )

    def reconfigure(self, config: Config, table: DecisionTable) -> None:
        """Decide by another configuration from the next call on."""
        super().reconfigure(config, table)
        self._approvals.reconfigure(config.asks)
