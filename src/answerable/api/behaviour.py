"""Behaviour: what cannot be judged here, and is held back for that.

A baseline explains what a call names by what came back before it, and that is seen by
the gateway alone. So calls of an agent whose baseline holds calls back are not allowed
here, until its owner has signed that one may be.
"""

from collections.abc import Iterable
from dataclasses import replace

from answerable.model.baseline import Stage
from answerable.model.caller import Caller
from answerable.model.config import Config
from answerable.model.decision import Decision, Effect, Layer, Mode, Reason, Target
from answerable.model.ids import AgentId
from answerable.model.learning import Cold
from answerable.serving.baselines import InForce

UNSEEN = "unseen-here"


class Behaviour:
    """Knows whose calls a baseline holds back.

    Args:
        config: Says whose behaviour is watched.
    """

    def __init__(self, config: Config) -> None:
        self._standing: dict[tuple[str, str], InForce] = {}
        self.swap(config)

    def swap(self, config: Config) -> None:
        """Know it by another configuration."""
        self._watched = {
            agent.id: agent.baseline.cold
            for agent in config.agents
            if agent.baseline is not None
        }

    def hold_to(self, standing: Iterable[InForce]) -> None:
        """Hold agents to these profiles from now on."""
        # Through whichever identity: which one a server will see is not known here.
        self._standing = {
            (each.subject.agent, each.subject.server): each
            for each in sorted(standing, key=_strictness)
        }

    def judge(
        self, caller: Caller, server: str, target: Target, decision: Decision
    ) -> Decision:
        """Give what policy and baseline say, which is never more than the policy."""
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
        """Name the profile that holds calls back, empty for one yet to be learned."""
        standing = self._standing.get((agent, server))
        if standing is not None:
            return standing.digest if standing.stage is Stage.ENFORCE else None
        return "" if self._watched.get(agent) is Cold.ENFORCE else None


def _strictness(standing: InForce) -> bool:
    return standing.stage is Stage.ENFORCE
