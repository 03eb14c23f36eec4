"""Types of the scenario: calls, results, and the guard interface."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class ScriptedCall:
    """One tool call of an agent.

    Attributes:
        tool: Its name.
        arguments: JSON values by name.
    """

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ExecutedCall:
    """An executed call with its JSON result.

    Attributes:
        call: The call.
        answer: None where the tool says nothing, or failed.
        failed: Whether it failed, and so changed nothing.
    """

    call: ScriptedCall
    answer: object
    failed: bool = False


@dataclass(frozen=True, slots=True)
class HonestRun:
    """The run of an honest agent for one task.

    Attributes:
        suite: Of AgentDojo.
        task: Id of the task in it.
        request: What the person asked for, in words.
        turns: In order.
    """

    suite: str
    task: str
    request: str
    turns: tuple[ExecutedCall, ...]


class GuardAnswer(StrEnum):
    """Answer of a guard to a call; only `allow` executes it."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class RunWatch(Protocol):
    """Guard state of one run."""

    def judge(self, call: ScriptedCall) -> GuardAnswer: ...

    def record_turn(self, turn: ExecutedCall) -> None:
        """Record an executed call."""

    def start_next_run(self) -> None:
        """Record that the agent ended this run and began another."""


class ToolGuard(Protocol):
    """Guard between an agent and its tools."""

    def start_run(self, request: str | None, claimed: str | None) -> RunWatch:
        """Begin a run.

        Args:
            request: What a person asked for, from an attested front end; None where
                nothing stands there.
            claimed: What the agent's host says that a person asked for.
        """


@dataclass(frozen=True, slots=True)
class JsonLeaf:
    """Scalar of a JSON value with its path: `[].sender`."""

    path: str
    value: object


def iterate_leaves(value: object, path: str = "") -> Iterator[JsonLeaf]:
    """Iterate over the leaves of a JSON value; list elements share one path."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from iterate_leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from iterate_leaves(member, f"{path}[]")
    else:
        yield JsonLeaf(path, value)
