"""A small bank that the tests of the baseline act in."""

from dataclasses import replace

from answerable.baseline.judgement import judge
from answerable.baseline.learning import learn
from answerable.baseline.profile_index import Held
from answerable.baseline.request_values import requested
from answerable.baseline.run_fold import fold
from answerable.baseline.window import Window
from answerable.model.baseline import Accepted, Profile, Subject, Terms
from answerable.model.baseline_assessment import Judgement
from answerable.model.behaviour import (
    Asked,
    Json,
    Observation,
    Run,
    Table,
    ToolFacts,
)
from answerable.model.provenance import WrittenBy

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = 20_000 * DAY
SUBJECT = Subject("role/bank", "agent:declared/teller", "bank")
PAY, BILLS, LIST, NOTE, ADD = (
    f"bank/{name}" for name in ("pay", "read_file", "list", "note", "add_contact")
)
FACTS = {
    PAY: ToolFacts(sensitive=("to",), summed=("amount",)),
    BILLS: ToolFacts(is_write=False),
    LIST: ToolFacts(is_write=False, trusted=("[].id", "[].to")),
    NOTE: ToolFacts(),
    ADD: ToolFacts(),
}
ALICE = "DE89370400440532013000"
BOB = "FR7630006000011234567890189"
EVE = "US133000000121212121212"
TERMS = Terms(min_persons=1)


def wish(text: str, written_by: WrittenBy = WrittenBy.PERSON) -> Asked:
    """What somebody asked for, in words."""
    return Asked(frozenset(requested(text)), written_by, "f" * 64)


def step(
    tool: str, result: Json = "", **arguments: Json
) -> tuple[str, dict[str, Json], Json]:
    """One call as a script has it: tool, arguments, result."""
    return tool, arguments, result


Step = tuple[str, dict[str, Json], Json]


def played(
    steps: tuple[Step, ...],
    name: str = "run",
    at: int = NOW,
    asked: str = "",
    tables: tuple[Table, ...] = (),
    window: Window | None = None,
    person: str = "person:ana@corp.example",
) -> Run:
    """Play a script to its end, with nothing held back."""
    window = window or Window(FACTS, tables)
    window.begin(name, at, wish(asked) if asked else None)
    calls = []
    for number, (tool, arguments, result) in enumerate(steps):
        when = at + number * SECOND
        call = window.observe(name, f"{name}.{number:02}", when, tool, arguments)
        calls.append(window.returned(name, call, arguments, result))
    return Run(
        name, SUBJECT.agent, SUBJECT.identity, person, at, WrittenBy.MEDIATOR,
        calls=tuple(calls),
    )  # fmt: skip


def learned(
    *scripts: tuple[Step, ...],
    times: int = 4,
    asked: str = "",
    tables: tuple[Table, ...] = (),
    terms: Terms = TERMS,
    accepted: tuple[Accepted, ...] = (),
) -> Profile:
    """Learn a profile from scripts, each played on several days before."""
    runs = [
        played(script, f"t{number}.{day}", NOW - (day + 1) * DAY, asked, tables)
        for number, script in enumerate(scripts)
        for day in range(times)
    ]
    return learn(fold({}, runs), SUBJECT, terms, NOW, accepted)


def last(
    profile: Profile,
    steps: tuple[Step, ...],
    asked: str = "",
    tables: tuple[Table, ...] = (),
    window: Window | None = None,
    written_by: WrittenBy = WrittenBy.PERSON,
) -> tuple[Judgement, Observation]:
    """Play a script, and judge the last call of it."""
    window = window or Window(FACTS, tables)
    window.begin("live", NOW, wish(asked, written_by) if asked else None)
    for number, (tool, arguments, result) in enumerate(steps[:-1]):
        call = window.observe("live", f"l.{number}", NOW + number, tool, arguments)
        window.returned("live", call, arguments, result)
    tool, arguments, _ = steps[-1]
    call = window.observe("live", "l.last", NOW + len(steps), tool, arguments)
    progress = window.progress("live", NOW + len(steps))
    return judge(Held.of(profile), call, progress), call


def moved(run: Run, at: int, name: str) -> Run:
    """The same run, at another time under another name."""
    calls = tuple(
        replace(call, id=f"{name}.{n}", at=call.at - run.started + at)
        for n, call in enumerate(run.calls)
    )
    return replace(run, id=name, started=at, calls=calls)
