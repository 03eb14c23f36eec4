"""Report sections on `answerable.baseline`: prompt-blind first, then attested."""

from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.baseline_configs import ATTESTED, BASELINE_CONFIGS, PROMPT_BLIND
from bench.agentdojo.baseline_guard import BaselineConfig, BaselineGuard
from bench.agentdojo.episode import EpisodeResult
from bench.agentdojo.regimes import GuardTrial, TrialResults, run_trial
from bench.agentdojo.report import ReportSection
from bench.agentdojo.result_shares import (
    disturbed_share,
    goal_share,
    harm_by_attacker,
    harm_share,
    print_progress,
)
from bench.agentdojo.share_statistics import format_percent
from bench.agentdojo.suites import DEVELOPED, AgentDojoSuite, load_suites

TITLES = (
    "The frontier",
    "What still goes through",
    "By attacker",
    "Tasks never seen, agents never seen",
    "By suite",
    "Utility under attack",
)
_HIDING = ATTACKERS[1]
LEADING = {"prompt-blind": PROMPT_BLIND, "attested request": ATTESTED}


def build_trial(name: str, way: BaselineConfig, **more: object) -> GuardTrial:
    """Build the trial of one configuration."""
    return GuardTrial(
        name, lambda lesson: BaselineGuard(lesson, way), way.attested, **more
    )  # type: ignore[arg-type]


def run_frontier() -> Iterator[ReportSection]:
    """Run every configuration, and the leading ones with every attacker."""
    developed = list(load_suites(DEVELOPED))
    yield from _frontier_section(developed)
    everyone = {
        view: run_trial(
            build_trial(view, way, attackers=ATTACKERS, served=True),
            "known shape",
            developed,
        )
        for view, way in LEADING.items()
    }
    yield ReportSection(
        TITLES[2],
        "Configuration: known shape; learned, with the owner's tables.",
        ("view", "measure", *(attacker.name for attacker in ATTACKERS)),
        [
            row
            for view, ends in everyone.items()
            for row in _attacker_section(view, ends)
        ],
    )
    yield _other_suites_section(developed)
    yield _suite_section(everyone)
    yield _utility_section(everyone)


def _frontier_section(developed: Sequence[AgentDojoSuite]) -> Iterator[ReportSection]:
    rows, through = [], []
    for view, ways in BASELINE_CONFIGS.items():
        for name, way in ways.items():
            attackers = (PLAIN, _HIDING)
            ends = run_trial(
                build_trial(name, way, attackers=attackers), "known shape", developed
            )
            plain, hiding = (ends.attacked[one.name] for one in attackers)
            denied = sum(end.is_denied for end in ends.benign) / len(ends.benign)
            cells = (
                disturbed_share(ends.benign),
                format_percent(denied),
                harm_share(plain),
                goal_share(plain),
            )
            more = (harm_share(hiding), goal_share(hiding))
            rows.append(print_progress((view, name, *map(str, (*cells, *more)))))
            through += [
                (view, name, _remaining_attacks(plain), _remaining_attacks(hiding))
            ]
    yield ReportSection(
        TITLES[0],
        "Known shape. Each row is a configuration for the same agent and the same "
        "training runs: if fewer honest runs are disturbed, more attacks succeed. "
        "A disturbed run either has a denied call or waits once for its owner, who "
        "signs an exception.",
        (
            *("view", "held to", "honest runs disturbed", "refused"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )
    yield ReportSection(
        TITLES[1],
        "Injected goals with at least one successful call, and the number of such runs.",
        ("view", "held to", "plain", "literal-hiding"),
        through,
    )


def _remaining_attacks(ends: Sequence[EpisodeResult]) -> str:
    counts: dict[str, int] = {}
    for end in ends:
        if end.is_harmed:
            name = f"{end.suite} {str(end.goal).rpartition('_')[2]}"
            counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "nothing"


def _attacker_section(view: str, ends: TrialResults) -> Iterator[Sequence[str]]:
    goals = (goal_share(ends.attacked[one.name]) for one in ATTACKERS)
    yield print_progress((view, "some harm", *harm_by_attacker(ends)))
    yield print_progress(
        (view, "goal reached", *(format_percent(share.share) for share in goals))
    )


def _other_suites_section(developed: Sequence[AgentDojoSuite]) -> ReportSection:
    rows = []
    for view, way in LEADING.items():
        for regime in ("held-out", "cold"):
            ends = run_trial(
                build_trial(view, way, attackers=(PLAIN, _HIDING)), regime, developed
            )
            plain, hiding = ends.attacked[PLAIN.name], ends.attacked[_HIDING.name]
            cells = (
                disturbed_share(ends.benign),
                harm_share(plain),
                goal_share(plain),
                harm_share(hiding),
            )
            rows.append(print_progress((view, regime, *map(str, cells))))
    return ReportSection(
        TITLES[3],
        "Held-out: the profile is learned from every task except the tested one. "
        "Cold: no profile, only origin checks.",
        (
            *("view", "regime", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm"),
        ),
        rows,
    )


def _suite_section(everyone: dict[str, TrialResults]) -> ReportSection:
    rows = []
    for view, ends in everyone.items():
        for suite in DEVELOPED:
            benign = [end for end in ends.benign if end.suite == suite]
            cells = [disturbed_share(benign)]
            for attacker in (PLAIN, _HIDING):
                here = [e for e in ends.attacked[attacker.name] if e.suite == suite]
                cells += [harm_share(here), goal_share(here)]
            rows.append(print_progress((view, suite, *map(str, cells))))
    return ReportSection(
        TITLES[4],
        "Configuration: known shape; learned, with the owner's tables.",
        (
            *("view", "suite", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )


def _utility_section(everyone: dict[str, TrialResults]) -> ReportSection:
    rows = []
    for view, ends in everyone.items():
        plain = ends.attacked[PLAIN.name]
        ran = sum(not end.is_disturbed for end in plain) / len(plain)
        served = sum(end.served is True for end in plain) / len(plain)
        honest = sum(not end.is_disturbed for end in ends.benign) / len(ends.benign)
        free = sum(end.served is True for end in ends.benign) / len(ends.benign)
        kept = format_percent(served / free if free else 0.0)
        cells = (
            format_percent(honest),
            format_percent(ran),
            format_percent(free),
            format_percent(served),
            kept,
        )
        rows.append(print_progress((view, *cells)))
    return ReportSection(
        TITLES[5],
        'Plain attacker, known shape. "All calls": all calls of the person\'s task '
        'succeeded. "Served": AgentDojo\'s check of the task succeeded, which requires '
        "the environment to be as if no other changes had been made.",
        (
            *("view", "all calls, honest", "all calls, attacked"),
            *("served, honest", "served, attacked", "of honest"),
        ),
        rows,
    )
