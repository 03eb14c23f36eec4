"""Severity of a finding: who can trigger it x its reach x how access was granted.

Each factor is a number, and the score is their product. No factor takes a value from a
text that an agent could have written as a reason to be smaller.
"""

from dataclasses import dataclass
from enum import Enum


class Trigger(Enum):
    """Party that can make the defect matter, with its factor.

    An unattended agent acts on a text that an outsider wrote, so that it counts as one.
    The last one is a supplier that turns bad, or an incident that has to come first.
    """

    ANONYMOUS = ("anonymous", 4)
    OUTSIDER = ("outsider", 3)
    AGENT = ("the agent alone", 3)
    INSIDER = ("insider", 2)
    LATER = ("another failure", 1)


class ReachLevel(Enum):
    """Access that the defect gives, with its factor.

    Reach that is not known counts as sensitive data: unknown is not no.
    """

    ADMINISTRATOR = ("administrator", 4)
    SENSITIVE = ("sensitive data", 3)
    NOT_KNOWN = ("not known", 3)
    WRITE = ("write", 2)
    READ = ("read", 1)


class ExposureFactor(Enum):
    """Property of an access that raises its severity; each adds one to the factor of 1."""

    STANDING = "standing"
    SCATTERED = "in several places"
    UNATTENDED = "unattended"
    UNBOUNDED = "unbounded"


class Severity(Enum):
    """Severity with the smallest score that has it, most severe first."""

    CRITICAL = ("critical", 36)
    HIGH = ("high", 18)
    MEDIUM = ("medium", 8)
    LOW = ("low", 0)


@dataclass(frozen=True, slots=True)
class SeverityFacts:
    """Facts from which a severity is computed."""

    trigger: Trigger
    reach: ReachLevel
    held: frozenset[ExposureFactor] = frozenset()

    @property
    def score(self) -> int:
        """Return the product of the three factors."""
        return self.trigger.value[1] * self.reach.value[1] * (1 + len(self.held))

    @property
    def severity(self) -> Severity:
        """Return the severity of the score."""
        return next(each for each in Severity if self.score >= each.value[1])

    @property
    def rank(self) -> tuple[int, int, int]:
        """Return the sort key, most severe first: score, then trigger, then reach."""
        return -self.score, -self.trigger.value[1], -self.reach.value[1]


def is_at_least(severity: str, threshold: str) -> bool:
    """Return whether a severity is as severe as a threshold, both by name."""
    names = [each.value[0] for each in Severity]
    return severity in names and names.index(severity) <= names.index(threshold)
