"""Poisoned training data: hijacked runs among the training runs."""

import random
from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import PLAIN
from bench.agentdojo.baseline_configs import BASELINE_CONFIGS
from bench.agentdojo.baseline_guard import BaselineGuard
from bench.agentdojo.episode import play_attacked
from bench.agentdojo.regimes import (
    attacker_knowledge,
    build_training_data,
    practice_runs,
)
from bench.agentdojo.report import ReportSection
from bench.agentdojo.result_shares import SEED, harm_share, print_progress
from bench.agentdojo.scenario import ExecutedCall, HonestRun
from bench.agentdojo.simple_guards import NoGuard
from bench.agentdojo.suites import DEVELOPED, AgentDojoSuite, load_suites

TITLES = ("Poisoned training runs",)
POISONED_SHARES = 0.05


def run_poisoning() -> Iterator[ReportSection]:
    """Measure poisoning."""
    yield _poisoning_section(list(load_suites(DEVELOPED)))


class _RecordingGuard(NoGuard):
    """Guard that allows and records everything."""

    def __init__(self) -> None:
        self.turns: list[ExecutedCall] = []

    def start_run(self, request: str | None, claimed: str | None) -> "_RecordingGuard":
        self.turns = []
        return self

    def record_turn(self, turn: ExecutedCall) -> None:
        self.turns.append(turn)


def poison_runs(
    stage: AgentDojoSuite, runs: Sequence[HonestRun], seed: int
) -> list[HonestRun]:
    """Replace some runs by undetected attacked ones."""
    pick, recorder = random.Random(f"{seed} {stage.name}"), _RecordingGuard()
    places = pick.sample(range(len(runs)), max(1, round(POISONED_SHARES * len(runs))))
    tasks, goals = sorted(stage.user_tasks), sorted(stage.injection_tasks)
    found = list(runs)
    for place in places:
        task, goal = pick.choice(tasks), pick.choice(goals)
        play_attacked(
            stage,
            recorder,
            PLAIN,
            task,
            goal,
            known=attacker_knowledge(stage),
            attested=False,
        )
        request = stage.user_tasks[task].PROMPT
        found[place] = HonestRun(stage.name, task, request, tuple(recorder.turns))
    return found


def _poisoning_section(developed: Sequence[AgentDojoSuite]) -> ReportSection:
    rows = []
    held = [
        (view, name, way)
        for view, ways in BASELINE_CONFIGS.items()
        for name, way in ways.items()
        if name in ("learned, owner's tables", "strict, tables")
    ]
    for view, name, way in held:
        for seed in (None, SEED):
            ends = []
            for stage in developed:
                runs = practice_runs(stage)
                taught = runs if seed is None else poison_runs(stage, runs, seed)
                guard = BaselineGuard(build_training_data(stage, taught), way)
                ends += [
                    play_attacked(
                        stage, guard, PLAIN, task, goal,
                        known=attacker_knowledge(stage), attested=way.attested,
                    )
                    for task in stage.user_tasks
                    for goal in stage.injection_tasks
                ]  # fmt: skip
            what = "honest runs" if seed is None else "5 % attacked runs among them"
            rows.append(print_progress((view, name, what, str(harm_share(ends)))))
    return ReportSection(
        TITLES[0],
        "Known shape, plain attacker, with the same goals as in the training runs.",
        ("view", "held to", "learned from", "some harm"),
        rows,
    )
