"""`answerable.baseline` as a guard: it learns, then judges each call."""

import hashlib
import itertools
import random
from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from answerable.baseline.judgement import judge
from answerable.baseline.learning import cold, learn
from answerable.baseline.profile_index import Held
from answerable.baseline.request_values import requested
from answerable.baseline.run_fold import fold
from answerable.baseline.window import Window
from answerable.model.baseline import (
    Profile,
    Stance,
    Subject,
    Terms,
)
from answerable.model.behaviour import Asked, Observation, Table, ToolFacts
from answerable.model.behaviour import Run as Lived
from answerable.model.decision import Effect
from answerable.model.provenance import WrittenBy
from bench.agentdojo.scenario import Answer, Call, Run, Turn
from bench.agentdojo.training_data import Lesson

_SECOND = 10**9
_HOUR = 3_600 * _SECOND
_RARE, _OFTEN, _MANY = 7 * _HOUR, 3 * _HOUR, 280  # 280 runs fit into the window
_BETWEEN = 20 * _SECOND  # calls of a run
_BEGIN = 1_790_000_000 * _SECOND
_PERSONS = 4
_ANSWER = {Effect.ALLOW: Answer.ALLOW, Effect.ASK: Answer.ASK}


@dataclass(frozen=True, slots=True)
class Way:
    """One configuration of the baseline guard.

    Attributes:
        stance: How strictly.
        tables: Kinds of things of which the owner keeps a table.
        attested: Whether the runs that teach came with the person's own request.
        firm: Runs, days and persons from which something is firm; the room's own
            numbers where it is 0.
        reads_open: Whether the owner lets a read go on that would be asked for.
    """

    stance: Stance = field(default_factory=Stance)
    tables: frozenset[str] = frozenset()
    attested: bool = False
    firm: int = 0
    reads_open: bool = False

    def terms(self) -> Terms:
        """Return the learning thresholds."""
        if not self.firm:
            return Terms(untrusted=self.stance.untrusted)
        firm = self.firm
        return Terms(
            untrusted=self.stance.untrusted,
            min_runs=firm,
            min_days=firm,
            min_persons=firm,
        )


def subject(suite: str) -> Subject:
    return Subject(f"identity:{suite}", f"agent:{suite}", suite)


def facts_of(lesson: Lesson) -> dict[str, ToolFacts]:
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


def tables_of(lesson: Lesson, kinds: Iterable[str]) -> tuple[Table, ...]:
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
            found.append(Table(f"{kind}s", values, sinks, WrittenBy.PERSON))
    return tuple(found)


class Ours:
    """Guard with a learned profile.

    Args:
        lesson: What it learns from.
        way: How it holds an agent to that.
    """

    def __init__(self, lesson: Lesson, way: Way) -> None:
        self.suite = lesson.suite
        self.way = way
        self.facts = facts_of(lesson)
        self.tables = tables_of(lesson, way.tables)
        # Runs come further apart than what counts together, at every hour of the week.
        self.apart = _RARE if len(lesson.runs) <= _MANY else _OFTEN
        self.now = _BEGIN
        self.window = Window(self.facts, self.tables)
        self.profile = self._learned(lesson)
        self.held = Held.of(self.profile)

    def _learned(self, lesson: Lesson) -> Profile:
        whose = subject(lesson.suite)
        terms = self.way.terms()
        lived = [self.lived(number, run) for number, run in enumerate(lesson.runs)]
        profile = cold(whose)
        if lived:
            profile = learn(fold({}, lived), whose, terms, self.now)
        return msgspec.structs.replace(profile, stance=self.way.stance)

    def lived(self, number: int, run: Run) -> Lived:
        """Record a run as a mediator of its tools would."""
        watch = self.watch(run.request if self.way.attested else None, None)
        for turn in run.turns:
            watch.look(turn.call)
            watch.saw(turn)
        whose = subject(self.suite)
        return Lived(
            id=watch.run,
            agent=whose.agent,
            identity=whose.identity,
            person=f"person:{random.Random(number).randrange(_PERSONS)}",
            started=watch.started,
            written_by=WrittenBy.MEDIATOR,
            calls=tuple(watch.done),
        )

    def watch(self, request: str | None, claimed: str | None) -> "_Watching":
        self.now += self.apart
        watch = _Watching(self, f"run-{self.now}", self.now)
        watch.begin(request, claimed)
        return watch


class _Watching:
    """Mediator view of one run, and of those that it was split into."""

    def __init__(self, guard: Ours, run: str, started: int) -> None:
        self.guard, self.run, self.started = guard, run, started
        self.at = started
        self.window = guard.window
        self.done: list[Observation] = []
        self._call: Observation | None = None
        self._parts = itertools.count(1)
        self._ids = itertools.count(1)

    def begin(self, request: str | None, claimed: str | None) -> None:
        """Start with an attested request, or with the host's claim of one."""
        asked = None
        if request is not None:
            asked = Asked(frozenset(requested(request)), WrittenBy.PERSON)
        elif claimed is not None:
            asked = Asked(frozenset(requested(claimed)), WrittenBy.SELF_REPORTED)
        self.window.begin(self.run, self.at, asked)

    def look(self, call: Call) -> Observation:
        self.at += _BETWEEN
        name = f"{self.run}/{next(self._ids):04d}"
        evidence = hashlib.sha256(name.encode()).hexdigest()
        tool = f"{self.guard.suite}/{call.tool}"
        arguments = dict(call.arguments)
        self._call = self.window.observe(self.run, evidence, self.at, tool, arguments)
        return self._call

    def judge(self, call: Call) -> Answer:
        seen = self.look(call)
        progress = self.window.progress(self.run, self.at)
        self.last = judge(self.guard.held, seen, progress)
        if self.guard.way.reads_open and not seen.is_write:
            return Answer.DENY if self.last.effect is Effect.DENY else Answer.ALLOW
        return _ANSWER.get(self.last.effect, Answer.DENY)

    def saw(self, turn: Turn) -> None:
        if self._call is None:
            raise RuntimeError("a call came back that nobody looked at")
        arguments = dict(turn.call.arguments)
        done = self.window.returned(self.run, self._call, arguments, turn.answer)
        self.done.append(done)
        self._call = None

    def split(self) -> None:
        self.run = f"{self.run}-{next(self._parts)}"
        self.begin(None, None)
