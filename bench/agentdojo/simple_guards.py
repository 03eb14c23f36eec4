"""Simple guards for comparison: tool sets, exact values, taint tracking."""

from collections.abc import Callable, Iterable, Sequence

from bench.agentdojo.scenario import (
    ExecutedCall,
    GuardAnswer,
    HonestRun,
    ScriptedCall,
    iterate_leaves,
)
from bench.agentdojo.tool_declarations import ToolDeclarations
from bench.agentdojo.training_data import Learner


class NoGuard:
    """Guard that allows everything."""

    def start_run(self, request: str | None, claimed: str | None) -> "NoGuard":
        return self

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        return GuardAnswer.ALLOW

    def record_turn(self, turn: ExecutedCall) -> None:
        pass

    def start_next_run(self) -> None:
        pass


class ToolSetGuard(NoGuard):
    """Guard that allows the tools seen in training."""

    def __init__(self, runs: Iterable[HonestRun], word: ToolDeclarations) -> None:
        self.tools = {turn.call.tool for run in runs for turn in run.turns}

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        return GuardAnswer.ALLOW if call.tool in self.tools else GuardAnswer.DENY


class ExactValueGuard(ToolSetGuard):
    """Guard that also allows only the sensitive values seen in training."""

    def __init__(self, runs: Iterable[HonestRun], word: ToolDeclarations) -> None:
        runs = tuple(runs)
        super().__init__(runs, word)
        self.word = word
        self.values = {
            value
            for run in runs
            for turn in run.turns
            for value in self._sensitive_values(turn.call)
        }

    def _sensitive_values(self, call: ScriptedCall) -> set[tuple[str, str, str]]:
        sinks = self.word.sensitive_leaves(call)
        return {(call.tool, leaf.path, str(leaf.value)) for leaf, _ in sinks}

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        new = self._sensitive_values(call) - self.values
        return GuardAnswer.DENY if new else super().judge(call)


class _TaintGuard(NoGuard):
    """Taint tracking of untrusted text; learns nothing."""

    def __init__(self, runs: Iterable[HonestRun], word: ToolDeclarations) -> None:
        self.word = word
        self.read: list[str] = []

    def start_run(self, request: str | None, claimed: str | None) -> "_TaintGuard":
        return type(self)((), self.word)

    def record_turn(self, turn: ExecutedCall) -> None:
        tool = turn.call.tool
        self.read += [
            str(leaf.value)
            for leaf in iterate_leaves(turn.answer)
            if leaf.value not in (None, "")
            and self.word.is_untrusted_text(tool, leaf.path)
        ]

    def start_next_run(self) -> None:
        self.read = []


class SessionTaintGuard(_TaintGuard):
    """Guard that blocks all actions after untrusted text was read."""

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        writes = call.tool in self.word.writes
        return GuardAnswer.DENY if self.read and writes else GuardAnswer.ALLOW


class ValueTaintGuard(_TaintGuard):
    """Guard that blocks sensitive values that occur in untrusted text."""

    def judge(self, call: ScriptedCall) -> GuardAnswer:
        if call.tool not in self.word.writes:
            return GuardAnswer.ALLOW
        values = [str(leaf.value) for leaf, _ in self.word.sensitive_leaves(call)]
        tainted = any(value in text for value in values for text in self.read)
        return GuardAnswer.DENY if tainted else GuardAnswer.ALLOW


TrainedGuard = Callable[[Sequence[HonestRun], ToolDeclarations], NoGuard]


def train_guard(rule: TrainedGuard) -> Learner:
    """Train a guard on the training data."""
    return lambda lesson: rule(lesson.runs, lesson.word)


SIMPLE_GUARDS: dict[str, TrainedGuard] = {
    "tool set per agent": ToolSetGuard,
    "+ exact argument values": ExactValueGuard,
    "session taint": SessionTaintGuard,
    "value taint by field": ValueTaintGuard,
}
