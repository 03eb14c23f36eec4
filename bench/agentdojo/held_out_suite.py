"""Held-out suite: measured once and reported as it came out."""

from collections.abc import Iterator

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.frontier import LEADING, trial
from bench.agentdojo.regimes import held
from bench.agentdojo.report import Section
from bench.agentdojo.result_shares import disturbed, goal, harm, note
from bench.agentdojo.suites import KEPT_BACK, stage

TITLES = ("Travel, once",)
_HIDING = ATTACKERS[1]


def sections() -> Iterator[Section]:
    """Run the held-out suite in the leading configurations."""
    kept = [stage(KEPT_BACK)]
    rows = []
    for view, way in LEADING.items():
        for regime in ("known shape", "held-out"):
            ends = held(trial(view, way, attackers=(PLAIN, _HIDING)), regime, kept)
            plain, hiding = ends.attacked[PLAIN.name], ends.attacked[_HIDING.name]
            cells = (disturbed(ends.benign), harm(plain), goal(plain))
            more = (harm(hiding), goal(hiding))
            rows.append(note((view, regime, *map(str, (*cells, *more)))))
    users, goals = len(kept[0].users), len(kept[0].injections)
    yield Section(
        TITLES[0],
        f"{users} tasks and {users * goals} attacked runs. Neither the room nor the "
        "operator's word nor the owner's tables were changed once it had been played; "
        "the word on its tools was written from their names.",
        (
            *("view", "regime", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )
