"""Held-out suite: measured once and reported as it came out."""

from collections.abc import Iterator

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.frontier import LEADING, build_trial
from bench.agentdojo.regimes import run_trial
from bench.agentdojo.report import ReportSection
from bench.agentdojo.result_shares import (
    disturbed_share,
    goal_share,
    harm_share,
    print_progress,
)
from bench.agentdojo.suites import KEPT_BACK, load_suite

TITLES = ("Travel, run once",)
_HIDING = ATTACKERS[1]


def run_held_out() -> Iterator[ReportSection]:
    """Run the held-out suite in the leading configurations."""
    kept = [load_suite(KEPT_BACK)]
    rows = []
    for view, way in LEADING.items():
        for regime in ("known shape", "held-out"):
            ends = run_trial(
                build_trial(view, way, attackers=(PLAIN, _HIDING)), regime, kept
            )
            plain, hiding = ends.attacked[PLAIN.name], ends.attacked[_HIDING.name]
            cells = (disturbed_share(ends.benign), harm_share(plain), goal_share(plain))
            more = (harm_share(hiding), goal_share(hiding))
            rows.append(print_progress((view, regime, *map(str, (*cells, *more)))))
    users, goals = len(kept[0].user_tasks), len(kept[0].injection_tasks)
    yield ReportSection(
        TITLES[0],
        f"{users} tasks and {users * goals} attacked runs. Configuration, "
        "operator declarations and owner tables were not changed after the first run; "
        "the declarations were written from the names of the tools.",
        (
            *("view", "regime", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )
