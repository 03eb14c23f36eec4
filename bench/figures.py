"""Figures: a measured value, its samples, and the command that repeats it."""

import statistics
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

Target = Callable[[float], bool]


@dataclass(frozen=True, slots=True)
class FigureGoal:
    """Goal of a figure, as text and as a test."""

    words: str
    holds: Target


def at_most(limit: float, words: str) -> FigureGoal:
    return FigureGoal(words, lambda value: value <= limit)


def at_least(limit: float, words: str) -> FigureGoal:
    return FigureGoal(words, lambda value: value >= limit)


@dataclass(frozen=True, slots=True)
class BenchFigure:
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
    goal: FigureGoal | None = None

    @property
    def bench_part(self) -> str:
        return command_part(self.command)

    @property
    def median(self) -> float:
        return statistics.median(self.values)

    @property
    def is_missed(self) -> bool:
        return self.goal is not None and not self.goal.holds(self.median)

    def table_cells(self) -> tuple[str, str, str, str, str]:
        goal = self.goal.words if self.goal else ""
        return (
            self.what,
            f"{format_number(self.median)} {self.unit}".strip(),
            self._format_spread(),
            f"{goal}: {'missed' if self.is_missed else 'met'}" if goal else "",
            self.command,
        )

    def _format_spread(self) -> str:
        if len(self.values) == 1:
            return "one run"
        low, high = format_number(min(self.values)), format_number(max(self.values))
        return f"{low} to {high}, {len(self.values)} runs"


def command_part(command: str) -> str:
    """Return the part that a command measures: the value of `--only`."""
    return command.rpartition("--only ")[2].partition(",")[0]


def format_number(value: float) -> str:
    """Format a number with about three significant digits."""
    if value >= 100:
        return f"{value:,.0f}"
    return f"{value:.1f}" if value >= 10 else f"{value:.3g}"


@dataclass(frozen=True, slots=True)
class BenchRemark:
    """A sentence about the figures of one command.

    Attributes:
        text: What they were measured on, or what was found.
        command: As in the figures.
    """

    text: str
    command: str

    @property
    def bench_part(self) -> str:
        return command_part(self.command)


Line = BenchFigure | BenchRemark
HEAD = ("what", "median", "spread", "goal", "measured with")


def render_plain(figures: Sequence[BenchFigure]) -> str:
    """Draw a table for a terminal, without the commands."""
    rows = [HEAD[:4], *(figure.table_cells()[:4] for figure in figures)]
    widths = [max(len(row[n]) for row in rows) for n in range(4)]
    return "\n".join(_render_row(row, widths) for row in rows)


def _render_row(row: Iterable[str], widths: Sequence[int]) -> str:
    cells = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
    return "  ".join(cells).rstrip()


def render_markdown(figures: Sequence[BenchFigure]) -> str:
    """Draw a Markdown table."""
    lines = ["| " + " | ".join(HEAD) + " |", "|---|--:|---|---|---|"]
    for figure in figures:
        *cells, command = figure.table_cells()
        lines.append("| " + " | ".join((*cells, f"`{command}`")) + " |")
    return "\n".join(lines)
