"""Learning: how the behaviour of one agent is watched, as its operator says."""

from dataclasses import dataclass
from enum import StrEnum


class Cold(StrEnum):
    """What holds an agent before a profile of it is signed."""

    OFF = "off"
    SHADOW = "shadow"
    ENFORCE = "enforce"


@dataclass(frozen=True, slots=True)
class Learning:
    """How the behaviour of an agent is watched.

    Attributes:
        values: Entities of arguments are recorded as they are; else by type alone, from
            which no resource can be learned.
        span: Seconds over which its runs count together.
        cold: What origins alone hold it to, before a profile is signed.
    """

    values: bool = True
    span: int = 3600
    cold: Cold = Cold.OFF
