"""Learning curve: disturbance and attack success after a number of runs.

Tasks come by a Zipf law, the same few most of the time, each run with values of its
own. What is held next are the runs that come after, drawn from the same mix.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import PLAIN
from bench.agentdojo.baseline_configs import ATTESTED, BLIND
from bench.agentdojo.baseline_guard import Ours, Way
from bench.agentdojo.episode import End, attacked
from bench.agentdojo.regimes import changed, known, lesson
from bench.agentdojo.report import Section
from bench.agentdojo.result_shares import harm, note
from bench.agentdojo.scenario import Answer, Run
from bench.agentdojo.share_statistics import percent, wilson
from bench.agentdojo.suites import DEVELOPED, Stage, stages

TITLES = ("Learning curve",)
POINTS = (20, 40, 80, 160)
SEEDS = 3
NEXT = 40
ATTACKED = 8  # tasks of each suite, by the same mix


def sections() -> Iterator[Section]:
    """Measure the learning curve."""
    yield _curve(list(stages(DEVELOPED)))


def mixed(stage: Stage, seed: int, count: int) -> list[Run]:
    """Sample runs from a Zipf task mix, each with other values."""
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
            upset, ends, known_of = [], [], []
            for stage in developed:
                for seed in range(SEEDS):
                    some, more, before = _after(stage, way, seed, point)
                    upset += some
                    ends += more
                    known_of += before
            new, once = (percent(known_of.count(n) / len(known_of)) for n in (0, 1))
            cells = (new, once, wilson(sum(upset), len(upset)), harm(ends))
            rows.append(note((f"{point} runs", name, *map(str, cells))))
    return Section(
        TITLES[0],
        f"Tasks by a Zipf law, {SEEDS} seeds for each of {', '.join(DEVELOPED)}; the "
        f"next {NEXT} runs of the mix with values that were never seen, and the plain "
        f"attacker with every goal on {ATTACKED} tasks of the mix.",
        (
            *("learned from", "view", "next runs of tasks never seen", "seen once"),
            *("next runs disturbed", "some harm"),
        ),
        rows,
    )


def _after(
    stage: Stage, way: Way, seed: int, point: int
) -> tuple[list[bool], list[End], list[int]]:
    """Learn from the first runs of a mix, then play the next runs and attacks.

    Returns:
        Which of the next runs were held up; how attacks ended; how often the task of
        each of the next runs was seen before.
    """
    runs = mixed(stage, seed, max(POINTS) + NEXT)
    seen = Counter(run.task for run in runs[:point])
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
    return upset, ends, [seen[run.task] for run in runs[point : point + NEXT]]


def _upset(guard: Ours, run: Run, way: Way) -> bool:
    """Tell whether any call of a recorded run is blocked."""
    watch = guard.watch(run.request if way.attested else None, None)
    for turn in run.turns:
        if watch.judge(turn.call) is not Answer.ALLOW:
            return True
        watch.saw(turn)
    return False
