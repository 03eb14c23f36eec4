"""`answerable.baseline` as a guard: it learns, then judges each call."""

import hashlib
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from answerable.baseline.call_judgement import judge_call
from answerable.baseline.profile_index import ProfileIndex
from answerable.baseline.profile_learning import build_empty_profile, build_profile
from answerable.baseline.recent_result_window import RecentResultWindow
from answerable.baseline.request_values import extract_requested_values
from answerable.baseline.training_run_merge import merge_runs_into_state
from answerable.model.baseline import (
    BaselineProfile,
    BaselineSubject,
    LearningParameters,
    Strictness,
)
from answerable.model.behaviour import AgentRun as Lived
from answerable.model.behaviour import (
    CallObservation,
    ReferenceTable,
    RequestedValues,
    ToolFacts,
)
from answerable.model.decision import DecisionEffect
from answerable.model.provenance import WrittenBy
from bench.agentdojo.scenario import ExecutedCall, GuardAnswer, HonestRun, ScriptedCall
from bench.agentdojo.training_data import TrainingData

_SECOND = 10**9
_HOUR = 3_600 * _SECOND
_RARE, _OFTEN, _MANY = 7 * _HOUR, 3 * _HOUR, 280  # 280 runs fit into the window
_RUN_INTERVAL = 20 * _SECOND  # calls of a run
_FIRST_RUN = 1_790_000_000 * _SECOND
_PERSONS = 4
_EFFECTS = {
    DecisionEffect.ALLOW: GuardAnswer.ALLOW,
    DecisionEffect.ASK: GuardAnswer.ASK,
}


@dataclass(frozen=True, slots=True)
class BaselineConfig:
    """One configuration of the baseline guard.

    Attributes:
        stance: How strictly.
        tables: Kinds of things of which the owner keeps a table.
        attested: Whether the runs that teach came with the person's own request.
        firm: Runs, days and persons from which something is firm; the room's own
            numbers where it is 0.
        reads_open: Whether the owner lets a read go on that would be asked for.
    """

    stance: Strictness = field(default_factory=Strictness)
    tables: frozenset[str] = frozenset()
    attested: bool = False
    firm: int = 0
    reads_open: bool = False

    def learning_terms(self) -> LearningParameters:
        """Return the learning thresholds."""
        if not self.firm:
            return LearningParameters(untrusted=self.stance.untrusted)
        firm = self.firm
        return LearningParameters(
            untrusted=self.stance.untrusted,
            min_runs=firm,
            min_days=firm,
            min_persons=firm,
        )


def baseline_subject(suite: str) -> BaselineSubject:
    return BaselineSubject(f"identity:{suite}", f"agent:{suite}", suite)


def build_tool_facts(lesson: TrainingData) -> dict[str, ToolFacts]:
    """Convert the operator's declarations to tool facts."""
    word = lesson.word
    return {
        f"{lesson.suite}/{tool}": ToolFacts(
            definition=hashlib.sha256(tool.encode()).hexdigest(),
            is_write=tool in word.writes,
            sensitive=tuple(word.sensitive.get(tool, ())),
            trusted=word.trusted.get(tool, ()),
            summed=tuple({word.summed[tool]} if tool in word.summed else ()),
        )
        for tool in lesson.tools
    }


def build_tables(
    lesson: TrainingData, kinds: Iterable[str]
) -> tuple[ReferenceTable, ...]:
    """Return the owner tables, one per kind of argument."""
    found = []
    for kind in sorted(kinds):
        sinks = frozenset(
            (f"{lesson.suite}/{tool}", path)
            for arguments in (lesson.word.sensitive, lesson.word.named)
            for tool, paths in arguments.items()
            for path, of in paths.items()
            if of == kind
        )
        values = lesson.tables.get(kind, frozenset())
        if sinks and values:
            found.append(ReferenceTable(f"{kind}s", values, sinks, WrittenBy.PERSON))
    return tuple(found)


class BaselineGuard:
    """Guard with a learned profile.

    Args:
        lesson: What it learns from.
        way: How it holds an agent to that.
    """

    def __init__(self, lesson: TrainingData, way: BaselineConfig) -> None:
        self.suite = lesson.suite
        self.way = way
        self.facts = build_tool_facts(lesson)
        self.tables = build_tables(lesson, way.tables)
        # Runs come further apart than what counts together, at every hour of the week.
        self.apart = _RARE if len(lesson.runs) <= _MANY else _OFTEN
        self.now = _FIRST_RUN
        self.window = RecentResultWindow(self.facts, self.tables)
        self.profile = self._learn_profile(lesson)
        self.held = ProfileIndex.build(self.profile)

    def _learn_profile(self, lesson: TrainingData) -> BaselineProfile:
        whose = baseline_subject(lesson.suite)
        terms = self.way.learning_terms()
        lived = [self.record_run(number, run) for number, run in enumerate(lesson.runs)]
        profile = build_empty_profile(whose)
        if lived:
            profile = build_profile(
                merge_runs_into_state({}, lived), whose, terms, self.now
            )
        return msgspec.structs.replace(profile, stance=self.way.stance)

    def record_run(self, number: int, run: HonestRun) -> Lived:
        """Record a run as a mediator of its tools would."""
        watch = self.start_run(run.request if self.way.attested else None, None)
        for turn in run.turns:
            watch.observe_call(turn.call)
            watch.record_turn(turn)
        whose = baseline_subject(self.suite)
        return Lived(
            id=watch.run,
            agent=whose.agent,
            identity=whose.identity,
            person=f"person:{random.Random(number).randrange(_PERSONS)}",
            started=watch.started,
            written_by=WrittenBy.MEDIATOR,
            calls=tuple(watch.done),
        )

    def start_run(self, request: str | None, claimed: str | None) -> "_BaselineWatch":
        self.now += self.apart
        watch = _BaselineWatch(self, f"run-{self.now}", self.now)
        watch.start_run(request, claimed)
        return watch


class _BaselineWatch:
    """Mediator view of one run, and of those that it was split into."""

    def __init__(self, guard: BaselineGuard, run: str, started: int) -> None:
        self.guard, self.run, self.started = guard, run, started
        self.at = started
        self.window = guard.window
        self.done: list[CallObservation] = []
        self._call: CallObservation | None = None
        self._parts = itertools.count(1)
        self._ids = itertools.count(1)

    def start_run(self, request: str | None, claimed: str | None) -> None:
        """Start with an attested request, or with the host's claim of one."""
        asked = None
        if request is not None:
            asked = RequestedValues(
                frozenset(extract_requested_values(request)), WrittenBy.PERSON
            )
        elif claimed is not None:
            asked = RequestedValues(
                frozenset(extract_requested_values(claimed)), WrittenBy.SELF_REPORTED
            )
        self.window.begin_run(self.run, self.at, asked)

    def observe_call(self, call: ScriptedCall) -> CallObservation:
        self.at += _RUN_INTERVAL
        name = f"{self.run}/{next(self._ids):04d}"
        evidence = hashlib.sha256(name.encode()).hexdigest()
        tool = f"{self.guard.suite}/{call.tool}"
        arguments = dict(call.arguments)
        self._call = self.window.observe_call(
            self.run, evidence, self.at, tool, arguments
        )
        return self._call

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        seen = self.observe_call(call)
        progress = self.window.sum_recent_calls(self.run, self.at)
        self.last = judge_call(self.guard.held, seen, progress)
        if self.guard.way.reads_open and not seen.is_write:
            return (
                GuardAnswer.DENY
                if self.last.effect is DecisionEffect.DENY
                else GuardAnswer.ALLOW
            )
        return _EFFECTS.get(self.last.effect, GuardAnswer.DENY)

    def record_turn(self, turn: ExecutedCall) -> None:
        if self._call is None:
            raise RuntimeError("a call came back that nobody looked at")
        arguments = dict(turn.call.arguments)
        done = self.window.add_call_result(self.run, self._call, arguments, turn.answer)
        self.done.append(done)
        self._call = None

    def start_next_run(self) -> None:
        self.run = f"{self.run}-{next(self._parts)}"
        self.start_run(None, None)
