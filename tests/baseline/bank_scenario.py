"""A small bank that the tests of the baseline act in."""

from dataclasses import replace

from answerable.baseline.call_judgement import judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.profile_learning import build_profile
from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.baseline.request_values import extract_requested_values
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    AcceptedDeviation,
    BaselineProfile,
    BaselineSubject,
    LearningParameters,
)
from answerable.model.baseline_assessment import BaselineAssessment
from answerable.model.behaviour import (
    AgentRun,
    CallObservation,
    JsonValue,
    ReferenceTable,
    RequestedValues,
    ToolFacts,
)
from answerable.model.provenance import WrittenBy

SECOND = 10**9
DAY = 86_400 * SECOND
NOW = 20_000 * DAY
SUBJECT = BaselineSubject("role/bank", "agent:declared/teller", "bank")
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
TERMS = LearningParameters(min_persons=1)


def wish(text: str, written_by: WrittenBy = WrittenBy.PERSON) -> RequestedValues:
    """What somebody asked for, in words."""
    return RequestedValues(
        frozenset(extract_requested_values(text)), written_by, "f" * 64
    )


def step(
    tool: str, result: JsonValue = "", **arguments: JsonValue
) -> tuple[str, dict[str, JsonValue], JsonValue]:
    """One call as a script has it: tool, arguments, result."""
    return tool, arguments, result


Step = tuple[str, dict[str, JsonValue], JsonValue]


def played(
    steps: tuple[Step, ...],
    name: str = "run",
    at: int = NOW,
    asked: str = "",
    tables: tuple[ReferenceTable, ...] = (),
    window: RecentResultWindow | None = None,
    person: str = "person:ana@corp.example",
) -> AgentRun:
    """Play a script to its end, with nothing held back."""
    window = window or RecentResultWindow(FACTS, tables)
    window.begin_run(name, at, wish(asked) if asked else None)
    calls = []
    for number, (tool, arguments, result) in enumerate(steps):
        when = at + number * SECOND
        call = window.observe_call(name, f"{name}.{number:02}", when, tool, arguments)
        calls.append(window.add_call_result(name, call, arguments, result))
    return AgentRun(
        name, SUBJECT.agent, SUBJECT.identity, person, at, WrittenBy.MEDIATOR,
        calls=tuple(calls),
    )  # fmt: skip


def learned(
    *scripts: tuple[Step, ...],
    times: int = 4,
    asked: str = "",
    tables: tuple[ReferenceTable, ...] = (),
    terms: LearningParameters = TERMS,
    accepted: tuple[AcceptedDeviation, ...] = (),
) -> BaselineProfile:
    """Learn a profile from scripts, each played on several days before."""
    runs = [
        played(script, f"t{number}.{day}", NOW - (day + 1) * DAY, asked, tables)
        for number, script in enumerate(scripts)
        for day in range(times)
    ]
    return build_profile(merge_runs_into_state({}, runs), SUBJECT, terms, NOW, accepted)


def last(
    profile: BaselineProfile,
    steps: tuple[Step, ...],
    asked: str = "",
    tables: tuple[ReferenceTable, ...] = (),
    window: RecentResultWindow | None = None,
    written_by: WrittenBy = WrittenBy.PERSON,
) -> tuple[BaselineAssessment, CallObservation]:
    """Play a script, and judge the last call of it."""
    window = window or RecentResultWindow(FACTS, tables)
    window.begin_run("live", NOW, wish(asked, written_by) if asked else None)
    for number, (tool, arguments, result) in enumerate(steps[:-1]):
        call = window.observe_call("live", f"l.{number}", NOW + number, tool, arguments)
        window.add_call_result("live", call, arguments, result)
    tool, arguments, _ = steps[-1]
    call = window.observe_call("live", "l.last", NOW + len(steps), tool, arguments)
    progress = window.sum_recent_calls("live", NOW + len(steps))
    return judge_call(ProfileIndex.build(profile), call, progress), call


def moved(run: AgentRun, at: int, name: str) -> AgentRun:
    """The same run, at another time under another name."""
    calls = tuple(
        replace(call, id=f"{name}.{n}", at=call.at - run.started + at)
        for n, call in enumerate(run.calls)
    )
    return replace(run, id=name, started=at, calls=calls)
