"""The learning curve: what the next runs meet after so many, and what poison does.

Tasks come by a Zipf law, the same few most of the time, each run with values of its
own. What is held next are the runs that come after, drawn from the same mix.
"""

import random
from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import PLAIN
from bench.agentdojo.measure import wilson
from bench.agentdojo.ours import Ours, Way
from bench.agentdojo.page import Section
from bench.agentdojo.plan import Answer, Run, Turn
from bench.agentdojo.rivals import NoGuard
from bench.agentdojo.scene import End, attacked
from bench.agentdojo.shares import SEED, harm, note
from bench.agentdojo.stage import DEVELOPED, Stage, stages
from bench.agentdojo.trials import changed, known, lesson, practised
from bench.agentdojo.ways import ATTESTED, BLIND

TITLES = ("Learning curve", "Poisoned lessons")
POINTS = (20, 40, 80, 160)
SEEDS = 5
NEXT = 40
ATTACKED = 8  # tasks of each suite, by the same mix
POISONED = 0.05


def sections() -> Iterator[Section]:
    """Play the curve and the poison."""
    developed = list(stages(DEVELOPED))
    yield _curve(developed)
    yield _poison(developed)


def mixed(stage: Stage, seed: int, count: int) -> list[Run]:
    """Draw runs: few tasks often, most seldom, each time with other values."""
    pick = random.Random(f"{seed} {stage.name}")
    tasks = sorted(stage.users)
    pick.shuffle(tasks)
    weights = [1 / rank for rank in range(1, len(tasks) + 1)]
    drawn = pick.choices(tasks, weights, k=count)
    return [changed(stage, task, n) for n, task in enumerate(drawn, 1)]


def _curve(developed: Sequence[Stage]) -> Section:
    rows = []
    for name, way in (("prompt-blind", BLIND), ("attested request", ATTESTED)):
        for point in POINTS:
            upset, ends = [], []
            for stage in developed:
                for seed in range(SEEDS):
                    some, more = _after(stage, way, seed, point)
                    upset += some
                    ends += more
            cells = (wilson(sum(upset), len(upset)), harm(ends))
            rows.append(note((f"{point} runs", name, *map(str, cells))))
    return Section(
        TITLES[0],
        f"Tasks by a Zipf law, {SEEDS} seeds for each of {', '.join(DEVELOPED)}; the "
        f"next {NEXT} runs of the mix with values that were never seen, and the plain "
        f"attacker with every goal on {ATTACKED} tasks of the mix.",
        ("learned from", "view", "next runs disturbed", "some harm"),
        rows,
    )


def _after(
    stage: Stage, way: Way, seed: int, point: int
) -> tuple[list[bool], list[End]]:
    """Learn from the first runs of a mix; meet those that come next, and attacks."""
    runs = mixed(stage, seed, max(POINTS) + NEXT)
    guard = Ours(lesson(stage, runs[:point], numbers=len(runs)), way)
    upset = [_upset(guard, run, way) for run in runs[point : point + NEXT]]
    tasks = dict.fromkeys(run.task for run in runs[point:])
    ends = [
        attacked(
            stage, guard, PLAIN, task, goal, known=known(stage), attested=way.attested
        )
        for task in list(tasks)[:ATTACKED]
        for goal in stage.injections
    ]
    return upset, ends


def _upset(guard: Ours, run: Run, way: Way) -> bool:
    """Tell whether any call of a recorded run is held up."""
    watch = guard.watch(run.request if way.attested else None, None)
    for turn in run.turns:
        if watch.judge(turn.call) is not Answer.ALLOW:
            return True
        watch.saw(turn)
    return False


class _Recorder(NoGuard):
    """Lets everything through and writes it down."""

    def __init__(self) -> None:
        self.turns: list[Turn] = []

    def watch(self, request: str | None, claimed: str | None) -> "_Recorder":
        self.turns = []
        return self

    def saw(self, turn: Turn) -> None:
        self.turns.append(turn)


def poisoned(stage: Stage, runs: Sequence[Run], seed: int) -> list[Run]:
    """Put attacked runs in the place of some; nobody noticed them."""
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
    for name, way in (("prompt-blind", BLIND), ("attested request", ATTESTED)):
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
            rows.append(note((what, name, str(harm(ends)))))
    return Section(
        TITLES[1],
        "Known shape, the plain attacker, with the very goals that were in the lessons.",
        ("learned from", "view", "some harm"),
        rows,
    )
