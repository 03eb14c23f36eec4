"""Collect and format configuration faults with line and column."""

from dataclasses import dataclass, field

from answerable.model.errors import UsageError


@dataclass(frozen=True, slots=True, order=True)
class TextPosition:
    """Line and column in the text, from 1."""

    line: int
    column: int


@dataclass(frozen=True, slots=True, order=True)
class ConfigFault:
    """Fault of a configuration.

    Attributes:
        path: The key, e.g. `agents.invoices.mode`; empty for the whole file.
        message: One line with the expected form, never the found value.
        file: Policy file, empty for the configuration itself.
    """

    position: TextPosition
    path: str
    message: str
    file: str = ""


class ConfigError(UsageError):
    """Invalid configuration.

    Attributes:
        lines: Every fault, as `PLACE:LINE:COLUMN: KEY: WHAT`.
    """

    def __init__(self, place: str, faults: tuple[ConfigFault, ...]) -> None:
        self.lines = format_faults(place, faults)
        more = f" (and {len(faults) - 1} more)" if len(faults) > 1 else ""
        hint = "docs/configuration.md lists every key"
        super().__init__(f"{self.lines[0]}{more}", hint)


def format_faults(place: str, faults: tuple[ConfigFault, ...]) -> list[str]:
    """Format faults for display, one a line."""
    return [
        f"{fault.file or place}:{fault.position.line}:{fault.position.column}: "
        + (f"{fault.path}: " if fault.path else "")
        + fault.message
        for fault in faults
    ]


@dataclass(slots=True)
class ConfigFaults:
    """Collector of faults and known keys.

    Attributes:
        found: Faults in the order of discovery.
        known_keys: Every known key, with `NAME` for a user-chosen name and `[]` for an item:
            `agents.NAME.allow[].tools`.
    """

    found: list[ConfigFault] = field(default_factory=list)
    known_keys: set[str] = field(default_factory=set)

    def add(self, position: TextPosition, path: str, message: str) -> None:
        """Add a fault."""
        self.found.append(ConfigFault(position, path, message))
