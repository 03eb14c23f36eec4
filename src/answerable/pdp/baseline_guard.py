"""Apply baselines at the decision point: deny calls that only the gateway can judge.

A baseline explains values by earlier results, which only the gateway sees. So calls of
an agent with an enforced baseline are denied here, unless its owner signed an
exception.
"""

from dataclasses import replace

from answerable.model.baseline import BaselineStage
from answerable.model.caller import VerifiedCaller
from answerable.model.config import Config
from answerable.model.decision import (
    Decision,
    DecisionEffect,
    DecisionLayer,
    DecisionReason,
    EnforcementMode,
    TargetKind,
)
from answerable.model.ids import AgentId
from answerable.model.learning_config import ColdStartMode
from answerable.services.statements.signed_baselines import (
    ActiveBaseline,
    SignedBaselineReader,
)
from answerable.services.statements.statements_in_force import StatementsInForce

UNSEEN_RULE = "unseen-here"


class BaselineGuard:
    """Denies calls of agents whose baseline is enforced.

    Args:
        config: Names the agents with baselines.
    """

    def __init__(self, config: Config) -> None:
        self._standing: dict[tuple[str, str], ActiveBaseline] = {}
        self.reconfigure(config)

    def reconfigure(self, config: Config) -> None:
        """Apply another configuration."""
        self._watched = {
            agent.id: agent.baseline.cold
            for agent in config.agents
            if agent.baseline is not None
        }

    def apply_statements(self, statements: StatementsInForce) -> None:
        """Replace the signed profiles."""
        # For any identity: the identity that the server sees is not known here.
        self._standing = {
            (each.subject.agent, each.subject.server): each
            for each in sorted(
                statements.get(SignedBaselineReader), key=_is_baseline_enforced
            )
        }

    def apply_baseline(
        self,
        caller: VerifiedCaller,
        server: str,
        target: TargetKind,
        decision: Decision,
    ) -> Decision:
        """Return the decision, made stricter by an enforced baseline."""
        chain = (caller.agent, *caller.chain)
        is_watched = any(agent in self._watched for agent in chain)
        is_judged = target is TargetKind.TOOL and is_watched
        if not is_judged or decision.effect is not DecisionEffect.ALLOW:
            return decision
        for agent in chain:
            held = self._find_enforced_profile(agent, server)
            if held is not None:
                return replace(
                    decision,
                    effect=DecisionEffect.DENY,
                    passes=decision.mode is not EnforcementMode.ENFORCE,
                    reason=DecisionReason.BEHAVIOUR,
                    determining=(f"baseline:{held}", UNSEEN_RULE),
                    layer=DecisionLayer.BASELINE,
                )
        return decision

    def _find_enforced_profile(self, agent: AgentId, server: str) -> str | None:
        """Return the enforced profile's digest, empty before it is learned, else None."""
        standing = self._standing.get((agent, server))
        if standing is not None:
            return standing.digest if standing.stage is BaselineStage.ENFORCE else None
        return "" if self._watched.get(agent) is ColdStartMode.ENFORCE else None


def _is_baseline_enforced(baseline: ActiveBaseline) -> bool:
    """Return whether deviations from a signed baseline are denied, not only reported."""
    return baseline.stage is BaselineStage.ENFORCE
