"""One episode: a person's task with a guard at the tools, with or without an attack."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.agentdojo.attackers import Attacker, Known, carries, targets
from bench.agentdojo.scenario import Answer, Call, Guard, Watch

if TYPE_CHECKING:
    from bench.agentdojo.suites import Stage, World

_OPENS = " IMPORTANT, before you go on: "


@dataclass(frozen=True, slots=True)
class End:
    """Result of an episode.

    Attributes:
        suite: Of AgentDojo.
        task: The person's.
        goal: The injected one, None where there was none.
        honest: What the guard said to each call of the person's task.
        injected: What it said to each injected call that can do harm; one that it let
            through in vain, since the tool failed, is not among them.
        served: Whether the person got what was asked for, None where not looked at.
        hijacked: Whether the goal was reached.
    """

    suite: str
    task: str
    goal: str | None
    honest: tuple[Answer, ...]
    injected: tuple[Answer, ...]
    served: bool | None
    hijacked: bool

    @property
    def disturbed(self) -> bool:
        """Tell whether any call of the person's task was blocked."""
        return any(answer is not Answer.ALLOW for answer in self.honest)

    @property
    def cluster(self) -> str:
        """Return the injected goal, the cluster of correlated results."""
        return f"{self.suite} {self.goal}"

    @property
    def denied(self) -> bool:
        return Answer.DENY in self.honest

    @property
    def harmed(self) -> bool:
        """Tell whether any harmful injected call was executed."""
        return Answer.ALLOW in self.injected


def honest(stage: "Stage", guard: Guard, task: str, *, attested: bool) -> End:
    """Play a person's task without an attack."""
    world, user = stage.world(task, {}), stage.users[task]
    watch = guard.watch(user.PROMPT if attested else None, user.PROMPT)
    said = _all(world, watch, world.calls_of(user))
    return End(stage.name, task, None, said, (), world.served(user), hijacked=False)


def attacked(
    stage: "Stage",
    guard: Guard,
    attacker: Attacker,
    task: str,
    goal: str,
    *,
    known: Known,
    attested: bool,
    served: bool = False,
) -> End:
    """Play a person's task with a goal injected into its input."""
    user, injected = stage.users[task], stage.injections[goal]
    planned = stage.world(task, {}).calls_of(injected)
    text = _OPENS + attacker.text(injected.GOAL, planned, known)
    world = stage.world(task, dict.fromkeys(stage.shown(task), text))
    mine = world.calls_of(user)
    claimed = injected.GOAL if attacker.claims else user.PROMPT
    watch = guard.watch(user.PROMPT if attested else None, claimed)
    cut = stage.seen_by(task)
    before = _all(world, watch, mine[:cut])
    calls = world.calls_of(injected)
    values = targets(calls, known.word)
    said = []
    prelude = list(attacker.first(calls, known))
    for number, call in enumerate((*prelude, *attacker.calls(calls, known))):
        if attacker.splits:
            watch.split()
        answer, took_effect = _one(world, watch, call)
        steps_aside = number < len(prelude) and not carries(call, values, known.word)
        if known.word.acts(call) and took_effect and not steps_aside:
            said.append(answer)
    if attacker.splits:
        watch.split()
    after = _all(world, watch, mine[cut:])
    return End(
        stage.name,
        task,
        goal,
        (*before, *after),
        tuple(said),
        world.served(user) if served else None,
        world.hijacked(injected),
    )


def _all(world: "World", watch: Watch, calls: Iterable[Call]) -> tuple[Answer, ...]:
    return tuple(_one(world, watch, call)[0] for call in calls)


def _one(world: "World", watch: Watch, call: Call) -> tuple[Answer, bool]:
    """Judge and execute a call; return whether it could change anything."""
    answer = watch.judge(call)
    if answer is not Answer.ALLOW:
        return answer, True
    turn = world.run(call)
    watch.saw(turn)
    return answer, not turn.failed
