"""Regimes: training data before a task, and the results of the task."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache

from bench.agentdojo.attackers import PLAIN, AttackerKnowledge, AttackStrategy
from bench.agentdojo.episode import EpisodeResult, play_attacked, play_honest
from bench.agentdojo.owner_tables import build_owner_tables
from bench.agentdojo.scenario import HonestRun, ToolGuard
from bench.agentdojo.suites import AgentDojoSuite
from bench.agentdojo.task_variants import vary_directory, vary_run
from bench.agentdojo.tool_declarations import DECLARATIONS
from bench.agentdojo.training_data import Learner, TrainingData

VARIANTS = 6


@dataclass(frozen=True, slots=True)
class GuardTrial:
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
    attackers: Sequence[AttackStrategy] = (PLAIN,)
    served: bool = False


@cache
def varied_run(stage: AgentDojoSuite, task: str, number: int) -> HonestRun:
    """Return the honest run of a task with other values."""
    return vary_run(stage.honest_run(task), number)


def practice_runs(stage: AgentDojoSuite, without: str = "") -> list[HonestRun]:
    """Return honest runs with other values than the test, without one task."""
    tasks = [task for task in stage.user_tasks if task != without]
    return [
        varied_run(stage, task, number)
        for number in range(1, VARIANTS + 1)
        for task in tasks
    ]


Regime = Callable[[AgentDojoSuite, str], list[HonestRun]]
REGIMES: dict[str, Regime] = {
    "known shape": lambda stage, _task: practice_runs(stage),
    "held-out": practice_runs,
    "cold": lambda _stage, _task: [],
}


@dataclass(frozen=True, slots=True)
class TrialResults:
    """Results of one trial: honest episodes, and attacked ones by attacker."""

    benign: Sequence[EpisodeResult]
    attacked: dict[str, Sequence[EpisodeResult]]


def run_trial(
    trial: GuardTrial,
    regime: str,
    stages: Sequence[AgentDojoSuite],
    goals: Sequence[str] | None = None,
) -> TrialResults:
    """Run every task of the suites, and every goal on every task."""
    benign: list[EpisodeResult] = []
    hostile: dict[str, list[EpisodeResult]] = {a.name: [] for a in trial.attackers}
    for stage in stages:
        for task, guard in _guards_by_task(trial.learner, regime, stage):
            benign.append(play_honest(stage, guard, task, attested=trial.attested))
            for attacker in trial.attackers:
                hostile[attacker.name] += _play_task(
                    stage, guard, trial, attacker, task, goals
                )
    return TrialResults(benign, dict(hostile))


def attacker_knowledge(stage: AgentDojoSuite) -> AttackerKnowledge:
    """Return an attacker's knowledge of a suite's agent."""
    return AttackerKnowledge(
        DECLARATIONS[stage.name], [stage.honest_run(task) for task in stage.user_tasks]
    )


def _guards_by_task(
    learner: Learner, regime: str, stage: AgentDojoSuite
) -> Iterator[tuple[str, ToolGuard]]:
    """Yield each task with its trained guard."""
    if regime == "held-out":
        for task in stage.user_tasks:
            yield (
                task,
                learner(build_training_data(stage, REGIMES[regime](stage, task))),
            )
    else:
        guard = learner(build_training_data(stage, REGIMES[regime](stage, "")))
        for task in stage.user_tasks:
            yield task, guard


def build_training_data(
    stage: AgentDojoSuite, runs: Sequence[HonestRun], numbers: int = VARIANTS
) -> TrainingData:
    """Combine runs, tool declarations and owner tables.

    Args:
        stage: Of which suite.
        runs: To learn from.
        numbers: How many variants there are, beside what the suite says itself.
    """
    tools = frozenset(stage.runtime.functions)
    word = DECLARATIONS[stage.name]
    return TrainingData(
        stage.name, runs, word, tools, owner_tables_by_day(stage, numbers)
    )


@cache
def owner_tables_by_day(
    stage: AgentDojoSuite, numbers: int
) -> Mapping[str, frozenset[str]]:
    """Return the owner tables of every training day and of today."""
    found = {}
    for kind, (values, names) in build_owner_tables(stage).items():
        every = (vary_directory(values, names, number) for number in range(numbers + 1))
        found[kind] = frozenset().union(*every)
    return found


def _play_task(
    stage: AgentDojoSuite,
    guard: ToolGuard,
    trial: GuardTrial,
    attacker: AttackStrategy,
    task: str,
    goals: Sequence[str] | None,
) -> Iterator[EpisodeResult]:
    for goal in stage.injection_tasks if goals is None else goals:
        yield play_attacked(
            stage,
            guard,
            attacker,
            task,
            goal,
            known=attacker_knowledge(stage),
            attested=trial.attested,
            served=trial.served,
        )
