"""Simple guards for comparison: tool sets, exact values, taint tracking."""

from collections.abc import Callable, Iterable, Sequence

from bench.agentdojo.scenario import Answer, Call, Run, Turn, leaves
from bench.agentdojo.tool_declarations import Word
from bench.agentdojo.training_data import Learner


class NoGuard:
    """Guard that allows everything."""

    def watch(self, request: str | None, claimed: str | None) -> "NoGuard":
        return self

    def judge(self, call: Call) -> Answer:
        return Answer.ALLOW

    def saw(self, turn: Turn) -> None:
        pass

    def split(self) -> None:
        pass


class ToolSet(NoGuard):
    """Guard that allows the tools seen in training."""

    def __init__(self, runs: Iterable[Run], word: Word) -> None:
        self.tools = {turn.call.tool for run in runs for turn in run.turns}

    def judge(self, call: Call) -> Answer:
        return Answer.ALLOW if call.tool in self.tools else Answer.DENY


class ExactValues(ToolSet):
    """Guard that also allows only the sensitive values seen in training."""

    def __init__(self, runs: Iterable[Run], word: Word) -> None:
        runs = tuple(runs)
        super().__init__(runs, word)
        self.word = word
        self.values = {
            value for run in runs for turn in run.turns for value in self._of(turn.call)
        }

    def _of(self, call: Call) -> set[tuple[str, str, str]]:
        sinks = self.word.sinks(call)
        return {(call.tool, leaf.path, str(leaf.value)) for leaf, _ in sinks}

    def judge(self, call: Call) -> Answer:
        new = self._of(call) - self.values
        return Answer.DENY if new else super().judge(call)


class _Taint(NoGuard):
    """Taint tracking of untrusted text; learns nothing."""

    def __init__(self, runs: Iterable[Run], word: Word) -> None:
        self.word = word
        self.read: list[str] = []

    def watch(self, request: str | None, claimed: str | None) -> "_Taint":
        return type(self)((), self.word)

    def saw(self, turn: Turn) -> None:
        tool = turn.call.tool
        self.read += [
            str(leaf.value)
            for leaf in leaves(turn.answer)
            if leaf.value not in (None, "") and self.word.is_text(tool, leaf.path)
        ]

    def split(self) -> None:
        self.read = []


class SessionTaint(_Taint):
    """Guard that blocks all actions after untrusted text was read."""

    def judge(self, call: Call) -> Answer:
        writes = call.tool in self.word.writes
        return Answer.DENY if self.read and writes else Answer.ALLOW


class ValueTaint(_Taint):
    """Guard that blocks sensitive values that occur in untrusted text."""

    def judge(self, call: Call) -> Answer:
        if call.tool not in self.word.writes:
            return Answer.ALLOW
        values = [str(leaf.value) for leaf, _ in self.word.sinks(call)]
        tainted = any(value in text for value in values for text in self.read)
        return Answer.DENY if tainted else Answer.ALLOW


Trained = Callable[[Sequence[Run], Word], NoGuard]


def trained(rule: Trained) -> Learner:
    """Train a guard on the training data."""
    return lambda lesson: rule(lesson.runs, lesson.word)


RIVALS: dict[str, Trained] = {
    "tool set per agent": ToolSet,
    "+ exact argument values": ExactValues,
    "session taint": SessionTaint,
    "value taint by field": ValueTaint,
}
