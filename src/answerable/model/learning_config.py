"""Configuration of baseline learning for one agent."""

from dataclasses import dataclass
from enum import StrEnum


class ColdStartMode(StrEnum):
    """Enforcement of value origins before a profile is signed."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class LearningConfig:
    """Section `baseline` of an agent: recording and learning of its behaviour.

    Attributes:
        values: Record argument entities verbatim; otherwise only their types, from
            which no resource can be learned.
        span: Seconds over which its runs count together.
        cold: Enforcement of value origins before a profile is signed.
    """

    values: bool = True
    span: int = 3600
    cold: ColdStartMode = ColdStartMode.OFF
