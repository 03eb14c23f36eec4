"""Faults of a configuration: all of them, each with its line and column."""

from dataclasses import dataclass, field

from answerable.model.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class Mark:
    """A place in the text, both counted from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class Fault:
    """One thing that is wrong.

    Attributes:
        mark: Where.
        path: The key, e.g. `agents.invoices.mode`; empty for the whole file.
        what: One line: what was expected, and never a value that stands there.
        file: Where that is not in the configuration itself: the file of policies.
    """

    mark: Mark
    path: str
    what: str
    file: str = ""


class ConfigError(UsageError):
    """A configuration that cannot be taken.

    Attributes:
        lines: Every fault, as `PLACE:LINE:COLUMN: KEY: WHAT`.
    """

    def __init__(self, place: str, faults: tuple[Fault, ...]) -> None:
        self.lines = fault_lines(place, faults)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = "docs/configuration.md has every key"
        super().__init__(f"{self.lines[0]}{more}", hint)


def fault_lines(place: str, faults: tuple[Fault, ...]) -> list[str]:
    """Write faults for people."""
    return [
        f"{fault.file or place}:{fault.mark.line}:{fault.mark.column}: "
        + (f"{fault.path}: " if fault.path else "")
        + fault.what
        for fault in faults
    ]


@dataclass(slots=True)
class Faults:
    """What was found wrong so far, and which keys were asked for.

    Attributes:
        found: In the order they were found.
        asked: Every key that the reading knows, with `NAME` for a name of the
            operator's choice and `[]` for an item: `agents.NAME.allow[].tools`.
    """

    found: list[Fault] = field(default_factory=list)
    asked: set[str] = field(default_factory=set)

    def add(self, mark: Mark, path: str, what: str) -> None:
        """Note one more."""
        self.found.append(Fault(mark, path, what))
