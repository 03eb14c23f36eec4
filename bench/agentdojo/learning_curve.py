"""Learning curve: disturbance and attack success after a number of runs.

Tasks come by a Zipf law, the same few most of the time, each run with values of its
own. What is held next are the runs that come after, drawn from the same mix.
"""

import random
from collections import Counter
from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import PLAIN
from bench.agentdojo.baseline_configs import ATTESTED, PROMPT_BLIND
from bench.agentdojo.baseline_guard import BaselineConfig, BaselineGuard
from bench.agentdojo.episode import EpisodeResult, play_attacked
from bench.agentdojo.regimes import attacker_knowledge, build_training_data, varied_run
from bench.agentdojo.report import ReportSection
from bench.agentdojo.result_shares import harm_share, print_progress
from bench.agentdojo.scenario import GuardAnswer, HonestRun
from bench.agentdojo.share_statistics import format_percent, wilson_share
from bench.agentdojo.suites import DEVELOPED, AgentDojoSuite, load_suites

TITLES = ("Learning curve",)
POINTS = (20, 40, 80, 160)
SEEDS = 3
RUNS_AFTER = 40
ATTACKED_RUNS = 8  # tasks of each suite, by the same mix


def run_curve() -> Iterator[ReportSection]:
    """Measure the learning curve."""
    yield _curve_section(list(load_suites(DEVELOPED)))


def draw_task_mix(stage: AgentDojoSuite, seed: int, count: int) -> list[HonestRun]:
    """Sample runs from a Zipf task mix, each with other values."""
    pick = random.Random(f"{seed} {stage.name}")
    tasks = sorted(stage.user_tasks)
    pick.shuffle(tasks)
    weights = [1 / rank for rank in range(1, len(tasks) + 1)]
    drawn = pick.choices(tasks, weights, k=count)
    return [varied_run(stage, task, n) for n, task in enumerate(drawn, 1)]


def _curve_section(developed: Sequence[AgentDojoSuite]) -> ReportSection:
    rows = []
    for name, way in (("prompt-blind", PROMPT_BLIND), ("attested request", ATTESTED)):
        for point in POINTS:
            upset, ends, known_of = [], [], []
            for stage in developed:
                for seed in range(SEEDS):
                    some, more, before = _measure_after(stage, way, seed, point)
                    upset += some
                    ends += more
                    known_of += before
            new, once = (
                format_percent(known_of.count(n) / len(known_of)) for n in (0, 1)
            )
            cells = (new, once, wilson_share(sum(upset), len(upset)), harm_share(ends))
            rows.append(print_progress((f"{point} runs", name, *map(str, cells))))
    return ReportSection(
        TITLES[0],
        f"The tasks have a Zipf distribution, with {SEEDS} seeds for each of "
        f"{', '.join(DEVELOPED)}; the next {RUNS_AFTER} runs of the mix with new "
        f"values, and the plain attacker with every goal on {ATTACKED_RUNS} tasks "
        "of the mix.",
        (
            *("learned from", "view", "next runs of tasks never seen", "seen once"),
            *("next runs disturbed", "some harm"),
        ),
        rows,
    )


def _measure_after(
    stage: AgentDojoSuite, way: BaselineConfig, seed: int, point: int
) -> tuple[list[bool], list[EpisodeResult], list[int]]:
    """Learn from the first runs of a mix, then play the next runs and attacks.

    Returns:
        Which of the next runs were held up; how attacks ended; how often the task of
        each of the next runs was seen before.
    """
    runs = draw_task_mix(stage, seed, max(POINTS) + RUNS_AFTER)
    seen = Counter(run.task for run in runs[:point])
    guard = BaselineGuard(
        build_training_data(stage, runs[:point], numbers=len(runs)), way
    )
    upset = [_is_disturbed(guard, run, way) for run in runs[point : point + RUNS_AFTER]]
    tasks = dict.fromkeys(run.task for run in runs[point:])
    ends = [
        play_attacked(
            stage,
            guard,
            PLAIN,
            task,
            goal,
            known=attacker_knowledge(stage),
            attested=way.attested,
        )
        for task in list(tasks)[:ATTACKED_RUNS]
        for goal in stage.injection_tasks
    ]
    return upset, ends, [seen[run.task] for run in runs[point : point + RUNS_AFTER]]


def _is_disturbed(guard: BaselineGuard, run: HonestRun, way: BaselineConfig) -> bool:
    """Return whether any call of a recorded run is blocked."""
    watch = guard.start_run(run.request if way.attested else None, None)
    for turn in run.turns:
        if watch.judge(turn.call) is not GuardAnswer.ALLOW:
            return True
        watch.record_turn(turn)
    return False
