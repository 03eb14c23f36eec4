"""Report sections on the simple guards."""

from collections.abc import Iterator

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.regimes import REGIMES, Trial, held
from bench.agentdojo.report import Section
from bench.agentdojo.result_shares import by_attacker, disturbed, goal, harm, note
from bench.agentdojo.simple_guards import RIVALS, trained
from bench.agentdojo.suites import DEVELOPED, stages

TITLES = ("Simple rules", "Simple rules, by attacker")


def sections() -> Iterator[Section]:
    """Run the simple guards in every regime, and with every attacker."""
    developed = list(stages(DEVELOPED))
    tasks = sum(len(one.users) for one in developed)
    attacks = sum(len(one.users) * len(one.injections) for one in developed)
    rows = []
    for name, rule in RIVALS.items():
        for regime in REGIMES:
            found = held(Trial(name, trained(rule)), regime, developed)
            plain = found.attacked[PLAIN.name]
            cells = (disturbed(found.benign), harm(plain), goal(plain))
            rows.append(note((name, regime, *(str(cell) for cell in cells))))
    yield Section(
        TITLES[0],
        f"{tasks} tasks and {attacks} attacked runs of {', '.join(DEVELOPED)} in each "
        "regime; the plain attacker. No rule sees a request, and the last two learn "
        "nothing.",
        ("rule", "regime", "honest runs disturbed", "some harm", "goal reached"),
        rows,
    )
    yield Section(
        TITLES[1],
        "Known shape, some harm.",
        ("rule", *(attacker.name for attacker in ATTACKERS)),
        [
            note((name, *by_attacker(held(trial, "known shape", developed))))
            for name, rule in RIVALS.items()
            for trial in (Trial(name, trained(rule), attackers=ATTACKERS),)
        ],
    )
