"""Amendments: what an owner has signed that an agent may do beyond its rules.

A break-glass amendment is one that two attested persons sign for a while, and that
lifts what a policy forbids, too. Neither lifts a kill, a quarantine or an error.
"""

from dataclasses import dataclass
from enum import StrEnum

from answerable.model.decision import Target
from answerable.model.ids import AgentId


class AmendmentKind(StrEnum):
    """How an amendment came about."""

    OWNER = "owner"  # signed by the agent's owner
    BREAK_GLASS = "break-glass"  # signed by two attested persons, time-bound


@dataclass(frozen=True, slots=True)
class Amendment:
    """One amendment, its signatures verified and in time.

    Attributes:
        id: SHA-256 of the signed statement, hex.
        kind: How it came about.
        agent: Whose calls it allows.
        server: Upstream server, as the configuration names it.
        target: What is acted on.
        name: The tool, prompt or URI, exactly.
        arguments: SHA-256 of the arguments as they came, hex; empty for any.
        until: NumericDate from which it allows nothing more; 0 where it has no end.
        persons: Who signed it.
    """

    id: str
    kind: AmendmentKind
    agent: AgentId
    server: str
    target: Target
    name: str
    arguments: str
    until: int
    persons: tuple[str, ...]
