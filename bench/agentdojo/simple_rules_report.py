"""Report sections on the simple guards."""

from collections.abc import Iterator

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.regimes import REGIMES, GuardTrial, run_trial
from bench.agentdojo.report import ReportSection
from bench.agentdojo.result_shares import (
    disturbed_share,
    goal_share,
    harm_by_attacker,
    harm_share,
    print_progress,
)
from bench.agentdojo.simple_guards import SIMPLE_GUARDS, train_guard
from bench.agentdojo.suites import DEVELOPED, load_suites

TITLES = ("Simple rules", "Simple rules, by attacker")


def run_simple_guards() -> Iterator[ReportSection]:
    """Run the simple guards in every regime, and with every attacker."""
    developed = list(load_suites(DEVELOPED))
    tasks = sum(len(one.user_tasks) for one in developed)
    attacks = sum(len(one.user_tasks) * len(one.injection_tasks) for one in developed)
    rows = []
    for name, rule in SIMPLE_GUARDS.items():
        for regime in REGIMES:
            found = run_trial(GuardTrial(name, train_guard(rule)), regime, developed)
            plain = found.attacked[PLAIN.name]
            cells = (
                disturbed_share(found.benign),
                harm_share(plain),
                goal_share(plain),
            )
            rows.append(print_progress((name, regime, *(str(cell) for cell in cells))))
    yield ReportSection(
        TITLES[0],
        f"{tasks} tasks and {attacks} attacked runs of {', '.join(DEVELOPED)} in each "
        "regime; the plain attacker. The rules do not use requests, and the last two "
        "do not learn.",
        ("rule", "regime", "honest runs disturbed", "some harm", "goal reached"),
        rows,
    )
    yield ReportSection(
        TITLES[1],
        "Known shape, some harm.",
        ("rule", *(attacker.name for attacker in ATTACKERS)),
        [
            print_progress(
                (name, *harm_by_attacker(run_trial(trial, "known shape", developed)))
            )
            for name, rule in SIMPLE_GUARDS.items()
            for trial in (GuardTrial(name, train_guard(rule), attackers=ATTACKERS),)
        ],
    )
