"""Training data of a guard: runs, tool declarations and owner tables."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from bench.agentdojo.scenario import HonestRun, ToolGuard
from bench.agentdojo.tool_declarations import ToolDeclarations


@dataclass(frozen=True, slots=True)
class TrainingData:
    """Training data and the operator's declarations.

    Attributes:
        suite: Of AgentDojo.
        runs: Honest runs, in the order in which they happened.
        word: On the suite's tools.
        tools: Names of all of them.
        tables: What the owner knows, by kind.
    """

    suite: str
    runs: Sequence[HonestRun]
    word: ToolDeclarations
    tools: frozenset[str] = frozenset()
    tables: Mapping[str, frozenset[str]] = field(default_factory=dict)


Learner = Callable[[TrainingData], ToolGuard]
