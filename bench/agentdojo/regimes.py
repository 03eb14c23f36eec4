"""Regimes: training data before a task, and the results of the task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from bench.agentdojo.attackers import PLAIN, Attacker, Known
from bench.agentdojo.episode import End, attacked, honest
from bench.agentdojo.owner_tables import directory
from bench.agentdojo.scenario import Guard, Run
from bench.agentdojo.suites import Stage
from bench.agentdojo.task_variants import renamed, variant
from bench.agentdojo.tool_declarations import WORDS
from bench.agentdojo.training_data import Learner, Lesson

VARIANTS = 6


@dataclass(frozen=True, slots=True)
class Trial:
    """A guard configuration with its attackers.

    Attributes:
        name: How the page calls it.
        learner: Makes a guard of a lesson.
        attested: Whether a person's own request reaches it.
        attackers: Who attacks it.
        served: Whether AgentDojo's slow checks of the persons' tasks are made, too.
    """

    name: str
    learner: Learner
    attested: bool = False
    attackers: Sequence[Attacker] = (PLAIN,)
    served: bool = False


@cache
def changed(stage: Stage, task: str, number: int) -> Run:
    """Return the honest run of a task with other values."""
    return variant(stage.honest(task), number)


def practised(stage: Stage, without: str = "") -> list[Run]:
    """Return honest runs with other values than the test, without one task."""
    tasks = [task for task in stage.users if task != without]
    return [
        changed(stage, task, number)
        for number in range(1, VARIANTS + 1)
        for task in tasks
    ]


Regime = Callable[[Stage, str], list[Run]]
REGIMES: dict[str, Regime] = {
    "known shape": lambda stage, _task: practised(stage),
    "held-out": practised,
    "cold": lambda _stage, _task: [],
}


@dataclass(frozen=True, slots=True)
class Ends:
    """Results of one trial: honest episodes, and attacked ones by attacker."""

    benign: Sequence[End]
    attacked: dict[str, Sequence[End]]


def held(
    trial: Trial,
    regime: str,
    stages: Sequence[Stage],
    goals: Sequence[str] | None = None,
) -> Ends:
    """Run every task of the suites, and every goal on every task."""
    benign: list[End] = []
    hostile: dict[str, list[End]] = {a.name: [] for a in trial.attackers}
    for stage in stages:
        for task, guard in _guards(trial.learner, regime, stage):
            benign.append(honest(stage, guard, task, attested=trial.attested))
            for attacker in trial.attackers:
                hostile[attacker.name] += _on(
                    stage, guard, trial, attacker, task, goals
                )
    return Ends(benign, dict(hostile))


def known(stage: Stage) -> Known:
    """Return an attacker's knowledge of a suite's agent."""
    return Known(WORDS[stage.name], [stage.honest(task) for task in stage.users])


def _guards(learner: Learner, regime: str, stage: Stage) -> Iterator[tuple[str, Guard]]:
    """Yield each task with its trained guard."""
    if regime == "held-out":
        for task in stage.users:
            yield task, learner(lesson(stage, REGIMES[regime](stage, task)))
    else:
        guard = learner(lesson(stage, REGIMES[regime](stage, "")))
        for task in stage.users:
            yield task, guard


def lesson(stage: Stage, runs: Sequence[Run], numbers: int = VARIANTS) -> Lesson:
    """Combine runs, tool declarations and owner tables.

    Args:
        stage: Of which suite.
        runs: To learn from.
        numbers: How many variants there are, beside what the suite says itself.
    """
    tools = frozenset(stage.runtime.functions)
    word = WORDS[stage.name]
    return Lesson(stage.name, runs, word, tools, tables(stage, numbers))


@cache
def tables(stage: Stage, numbers: int) -> Mapping[str, frozenset[str]]:
    """Return the owner tables of every training day and of today."""
    found = {}
    for kind, (values, names) in directory(stage).items():
        every = (renamed(values, names, number) for number in range(numbers + 1))
        found[kind] = frozenset().union(*every)
    return found


def _on(
    stage: Stage,
    guard: Guard,
    trial: Trial,
    attacker: Attacker,
    task: str,
    goals: Sequence[str] | None,
) -> Iterator[End]:
    for goal in stage.injections if goals is None else goals:
        yield attacked(
            stage,
            guard,
            attacker,
            task,
            goal,
            known=known(stage),
            attested=trial.attested,
            served=trial.served,
        )
