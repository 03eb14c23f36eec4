"""Figures: a measured value, its samples, and the command that repeats it."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Target = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class Goal:
    """Goal of a figure, as text and as a test."""

    words: str
    holds: Target


def at_most(limit: float, words: str) -> Goal:
    return Goal(words, lambda value: value <= limit)


def at_least(limit: float, words: str) -> Goal:
    return Goal(words, lambda value: value >= limit)


@dataclass(frozen=True, slots=True)
class Figure:
    """One row of the table.

    Attributes:
        what: What was measured.
        unit: Of the values.
        values: One per repetition.
        command: Measures it again.
        goal: What it must reach, None where it is only told.
    """

    what: str
    unit: str
    values: tuple[float, ...]
    command: str
    goal: Goal | None = None

    @property
    def part(self) -> str:
        return part_of(self.command)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def missed(self) -> bool:
        return self.goal is not None and not self.goal.holds(self.median)

    def cells(self) -> tuple[str, str, str, str, str]:
        goal = self.goal.words if self.goal else ""
        return (
            self.what,
            f"{number(self.median)} {self.unit}".strip(),
            self._spread(),
            f"{goal}: {'missed' if self.missed else 'held'}" if goal else "",
            self.command,
        )

    def _spread(self) -> str:
        if len(self.values) == 1:
            return "one run"
        low, high = number(min(self.values)), number(max(self.values))
        return f"{low} to {high}, {len(self.values)} runs"


def part_of(command: str) -> str:
    """Return the part that a command measures: the value of `--only`."""
    return command.rpartition("--only ")[2].partition(",")[0]


def number(value: float) -> str:
    """Format a number with about three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class Remark:
    """A sentence about the figures of one command.

    Attributes:
        text: What they were measured on, or what was found.
        command: As in the figures.
    """

    text: str
    command: str

    @property
    def part(self) -> str:
        return part_of(self.command)


Line = Figure | Remark
HEAD = ("what", "median", "spread", "goal", "measured with")


def plain(figures: Sequence[Figure]) -> str:
    """Draw a table for a terminal, without the commands."""
    rows = [HEAD[:4], *(figure.cells()[:4] for figure in figures)]
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    return "\n".join(_line(row, widths) for row in rows)


def _line(row: Iterable[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def markdown(figures: Sequence[Figure]) -> str:
    """Draw a Markdown table."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|--:|---|---|---|"]
    for figure in figures:
        *cells, command = figure.cells()
        lines.append("| " + " | ".join((*cells, f"`{command}`")) + " |")
    return "\n".join(lines)
