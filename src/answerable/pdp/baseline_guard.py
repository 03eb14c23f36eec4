"""Baselines at the decision point: calls that only the gateway can judge are denied.

A baseline explains values by earlier results, which only the gateway sees. So calls of
an agent with an enforced baseline are denied here, unless its owner signed an
exception.
"""

from collections.abc import Iterable
from dataclasses import replace

from answerable.model.baseline import Stage
from answerable.model.caller import Caller
from answerable.model.config import Config
from answerable.model.decision import Decision, Effect, Layer, Mode, Reason, Target
from answerable.model.ids import AgentId
from answerable.model.learning import Cold
from answerable.server.baseline_watch import InForce

UNSEEN = "unseen-here"


class Behaviour:
    """Denies calls of agents whose baseline is enforced.

    Args:
        config: Names the agents with baselines.
    """

    def __init__(self, config: Config) -> None:
        self._standing: dict[tuple[str, str], InForce] = {}
        self.swap(config)

    def swap(self, config: Config) -> None:
        """Apply another configuration."""
        self._watched = {
            agent.id: agent.baseline.cold
            for agent in config.agents
            if agent.baseline is not None
        }

    def hold_to(self, standing: Iterable[InForce]) -> None:
        """Replace the signed profiles."""
        # For any identity: the identity that the server sees is not known here.
        self._standing = {
            (each.subject.agent, each.subject.server): each
            for each in sorted(standing, key=_strictness)
        }

    def judge(
        self, caller: Caller, server: str, target: Target, decision: Decision
    ) -> Decision:
        """Return the decision, made stricter by an enforced baseline."""
        chain = (caller.agent, *caller.chain)
        is_watched = any(agent in self._watched for agent in chain)
        is_judged = target is Target.TOOL and is_watched
        if not is_judged or decision.effect is not Effect.ALLOW:
            return decision
        for agent in chain:
            held = self._held(agent, server)
            if held is not None:
                return replace(
                    decision,
                    effect=Effect.DENY,
                    passes=decision.mode is not Mode.ENFORCE,
                    reason=Reason.BEHAVIOUR,
                    determining=(f"baseline:{held}", UNSEEN),
                    layer=Layer.BASELINE,
                )
        return decision

    def _held(self, agent: AgentId, server: str) -> str | None:
        """Return the enforced profile's digest, empty before it is learned, else None."""
        standing = self._standing.get((agent, server))
        if standing is not None:
            return standing.digest if standing.stage is Stage.ENFORCE else None
        return "" if self._watched.get(agent) is Cold.ENFORCE else None


def _strictness(standing: InForce) -> bool:
    return standing.stage is Stage.ENFORCE
