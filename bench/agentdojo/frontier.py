"""Report sections on `answerable.baseline`: prompt-blind first, then attested."""

from collections.abc import Iterator, Sequence

from bench.agentdojo.attackers import ATTACKERS, PLAIN
from bench.agentdojo.baseline_configs import ATTESTED, BLIND, WAYS
from bench.agentdojo.baseline_guard import Ours, Way
from bench.agentdojo.episode import End
from bench.agentdojo.regimes import Ends, Trial, held
from bench.agentdojo.report import Section
from bench.agentdojo.result_shares import by_attacker, disturbed, goal, harm, note
from bench.agentdojo.share_statistics import percent
from bench.agentdojo.suites import DEVELOPED, Stage, stages

TITLES = (
    "The frontier",
    "What still goes through",
    "By attacker",
    "Tasks never seen, agents never seen",
    "By suite",
    "Utility under attack",
)
_HIDING = ATTACKERS[1]
LEADING = {"prompt-blind": BLIND, "attested request": ATTESTED}


def trial(name: str, way: Way, **more: object) -> Trial:
    """Build the trial of one configuration."""
    return Trial(name, lambda lesson: Ours(lesson, way), way.attested, **more)  # type: ignore[arg-type]


def sections() -> Iterator[Section]:
    """Run every configuration, and the leading ones with every attacker."""
    developed = list(stages(DEVELOPED))
    yield from _frontier(developed)
    everyone = {
        view: held(
            trial(view, way, attackers=ATTACKERS, served=True), "known shape", developed
        )
        for view, way in LEADING.items()
    }
    yield Section(
        TITLES[2],
        "Known shape; learned, with the owner's tables.",
        ("view", "measure", *(attacker.name for attacker in ATTACKERS)),
        [row for view, ends in everyone.items() for row in _each(view, ends)],
    )
    yield _elsewhere(developed)
    yield _suites(everyone)
    yield _utility(everyone)


def _frontier(developed: Sequence[Stage]) -> Iterator[Section]:
    rows, through = [], []
    for view, ways in WAYS.items():
        for name, way in ways.items():
            attackers = (PLAIN, _HIDING)
            ends = held(trial(name, way, attackers=attackers), "known shape", developed)
            plain, hiding = (ends.attacked[one.name] for one in attackers)
            denied = sum(end.denied for end in ends.benign) / len(ends.benign)
            cells = (disturbed(ends.benign), percent(denied), harm(plain), goal(plain))
            more = (harm(hiding), goal(hiding))
            rows.append(note((view, name, *map(str, (*cells, *more)))))
            through += [(view, name, _left(plain), _left(hiding))]
    yield Section(
        TITLES[0],
        "Known shape. Each row is a way to hold the same agent to the same lessons: "
        "the less is asked and refused of honest runs, the more goes through. Of "
        "disturbed runs, those that are refused something are told; the others wait "
        "for their owner once, who signs what then holds.",
        (
            *("view", "held to", "honest runs disturbed", "refused"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )
    yield Section(
        TITLES[1],
        "The injected goals of which some call went through, and in how many runs.",
        ("view", "held to", "plain", "literal-hiding"),
        through,
    )


def _left(ends: Sequence[End]) -> str:
    counts: dict[str, int] = {}
    for end in ends:
        if end.harmed:
            name = f"{end.suite} {str(end.goal).rpartition('_')[2]}"
            counts[name] = counts.get(name, 0) + 1
    return ", ".join(f"{name}: {count}" for name, count in counts.items()) or "nothing"


def _each(view: str, ends: Ends) -> Iterator[Sequence[str]]:
    goals = (goal(ends.attacked[one.name]) for one in ATTACKERS)
    yield note((view, "some harm", *by_attacker(ends)))
    yield note((view, "goal reached", *(percent(share.share) for share in goals)))


def _elsewhere(developed: Sequence[Stage]) -> Section:
    rows = []
    for view, way in LEADING.items():
        for regime in ("held-out", "cold"):
            ends = held(trial(view, way, attackers=(PLAIN, _HIDING)), regime, developed)
            plain, hiding = ends.attacked[PLAIN.name], ends.attacked[_HIDING.name]
            cells = (disturbed(ends.benign), harm(plain), goal(plain), harm(hiding))
            rows.append(note((view, regime, *map(str, cells))))
    return Section(
        TITLES[3],
        "Held-out: without the task at hand. Cold: nothing learned, origins alone.",
        (
            *("view", "regime", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm"),
        ),
        rows,
    )


def _suites(everyone: dict[str, Ends]) -> Section:
    rows = []
    for view, ends in everyone.items():
        for suite in DEVELOPED:
            benign = [end for end in ends.benign if end.suite == suite]
            cells = [disturbed(benign)]
            for attacker in (PLAIN, _HIDING):
                here = [e for e in ends.attacked[attacker.name] if e.suite == suite]
                cells += [harm(here), goal(here)]
            rows.append(note((view, suite, *map(str, cells))))
    return Section(
        TITLES[4],
        "Known shape; learned, with the owner's tables.",
        (
            *("view", "suite", "honest runs disturbed"),
            *("plain: some harm", "plain: goal", "hiding: some harm", "hiding: goal"),
        ),
        rows,
    )


def _utility(everyone: dict[str, Ends]) -> Section:
    rows = []
    for view, ends in everyone.items():
        plain = ends.attacked[PLAIN.name]
        ran = sum(not end.disturbed for end in plain) / len(plain)
        served = sum(end.served is True for end in plain) / len(plain)
        honest = sum(not end.disturbed for end in ends.benign) / len(ends.benign)
        free = sum(end.served is True for end in ends.benign) / len(ends.benign)
        kept = percent(served / free if free else 0.0)
        cells = (percent(honest), percent(ran), percent(free), percent(served), kept)
        rows.append(note((view, *cells)))
    return Section(
        TITLES[5],
        "The plain attacker; known shape. All calls of the person's task went through, "
        "and the person was served by AgentDojo's check, which wants the environment "
        "to be as if nothing else had happened.",
        (
            *("view", "all calls, honest", "all calls, attacked"),
            *("served, honest", "served, attacked", "of honest"),
        ),
        rows,
    )
