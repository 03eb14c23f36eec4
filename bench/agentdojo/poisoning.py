"""Poisoned training data: hijacked runs among the training runs."""

import random
from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import PLAIN
from bench.agentdojo.baseline_configs import WAYS
from bench.agentdojo.baseline_guard import Ours
from bench.agentdojo.episode import attacked
from bench.agentdojo.regimes import known, lesson, practised
from bench.agentdojo.report import Section
from bench.agentdojo.result_shares import SEED, harm, note
from bench.agentdojo.scenario import Run, Turn
from bench.agentdojo.simple_guards import NoGuard
from bench.agentdojo.suites import DEVELOPED, Stage, stages

TITLES = ("Poisoned lessons",)
POISONED = 0.05


def sections() -> Iterator[Section]:
    """Measure poisoning."""
    yield _poison(list(stages(DEVELOPED)))


class _Recorder(NoGuard):
    """Guard that allows and records everything."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def watch(self, request: str | None, claimed: str | None) -> "_Recorder":
        self.turns = []
        return self

    def saw(self, turn: Turn) -> None:
        self.turns.append(turn)


def poisoned(stage: Stage, runs: Sequence[Run], seed: int) -> list[Run]:
    """Replace some runs by undetected attacked ones."""
    pick, recorder = random.Random(f"{seed} {stage.name}"), _Recorder()
    places = pick.sample(range(len(runs)), max(1, round(POISONED * len(runs))))
    tasks, goals = sorted(stage.users), sorted(stage.injections)
    found = list(runs)
    for place in places:
        task, goal = pick.choice(tasks), pick.choice(goals)
        attacked(stage, recorder, PLAIN, task, goal, known=known(stage), attested=False)
        request = stage.users[task].PROMPT
        found[place] = Run(stage.name, task, request, tuple(recorder.turns))
    return found


def _poison(developed: Sequence[Stage]) -> Section:
    rows = []
    held = [
        (view, name, way)
        for view, ways in WAYS.items()
        for name, way in ways.items()
        if name in ("learned, owner's tables", "strict, tables")
    ]
    for view, name, way in held:
        for seed in (None, SEED):
            ends = []
            for stage in developed:
                runs = practised(stage)
                taught = runs if seed is None else poisoned(stage, runs, seed)
                guard = Ours(lesson(stage, taught), way)
                ends += [
                    attacked(
                        stage, guard, PLAIN, task, goal,
                        known=known(stage), attested=way.attested,
                    )
                    for task in stage.users
                    for goal in stage.injections
                ]  # fmt: skip
            what = "honest runs" if seed is None else "5 % attacked runs among them"
            rows.append(note((view, name, what, str(harm(ends)))))
    return Section(
        TITLES[0],
        "Known shape, the plain attacker, with the very goals that were in the lessons.",
        ("view", "held to", "learned from", "some harm"),
        rows,
    )
