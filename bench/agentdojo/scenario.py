"""Types of the scenario: calls, results, and the guard interface."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Call:
    """One tool call of an agent.

    Attributes:
        tool: Its name.
        arguments: JSON values by name.
    """

    tool: str
    arguments: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class Turn:
    """An executed call with its JSON result.

    Attributes:
        call: The call.
        answer: None where the tool says nothing, or failed.
        failed: Whether it failed, and so changed nothing.
    """

    call: Call
    answer: object
    failed: bool = False


@dataclass(frozen=True, slots=True)
class Run:
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
    turns: tuple[Turn, ...]


class Answer(StrEnum):
    """Answer of a guard to a call; only `allow` executes it."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Watch(Protocol):
    """Guard state of one run."""

    def judge(self, call: Call) -> Answer: ...

    def saw(self, turn: Turn) -> None:
        """Record an executed call."""

    def split(self) -> None:
        """Record that the agent ended this run and began another."""


class Guard(Protocol):
    """Guard between an agent and its tools."""

    def watch(self, request: str | None, claimed: str | None) -> Watch:
        """Begin a run.

        Args:
            request: What a person asked for, from an attested front end; None where
                nothing stands there.
            claimed: What the agent's host says that a person asked for.
        """


@dataclass(frozen=True, slots=True)
class Leaf:
    """Scalar of a JSON value with its path: `[].sender`."""

    path: str
    value: object


def leaves(value: object, path: str = "") -> Iterator[Leaf]:
    """Iterate over the leaves of a JSON value; list elements share one path."""
    if isinstance(value, Mapping):
        for name, member in value.items():
            yield from leaves(member, f"{path}.{name}" if path else str(name))
    elif isinstance(value, list | tuple):
        for member in value:
            yield from leaves(member, f"{path}[]")
    else:
        yield Leaf(path, value)
