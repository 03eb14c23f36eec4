"""What differs between a run straight at the server and one through the gateway."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tests.mcp.conformance.suite import Run


@dataclass(frozen=True)
class Difference:
    """A check that did not end through the gateway as it ended without it.

    Attributes:
        scenario: Name of the scenario.
        check: Id and name of the check.
        direct: How often it ended how, straight at the server.
        through: Likewise, through the gateway.
        said: What the failure through the gateway said; empty for none.
    """

    scenario: str
    check: str
    direct: str
    through: str
    said: str


def differences(direct: Run, through: Run) -> Iterator[Difference]:
    """Yield every difference, a check that one run alone made included."""
    for key in sorted(direct.checks.keys() | through.checks.keys()):
        before, after = direct.checks.get(key), through.checks.get(key)
        if before != after:
            scenario, id, name = key
            yield Difference(
                scenario,
                f"{id} ({name})",
                _spelt(before),
                _spelt(after),
                through.said.get(key, ""),
            )


def _spelt(ended: Counter[str] | None) -> str:
    if not ended:
        return "not made"
    return ", ".join(f"{ended[status]} {status.lower()}" for status in sorted(ended))
