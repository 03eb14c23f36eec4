"""Asks: what an agent wanted to do and may not, as an owner is asked about it."""

from dataclasses import dataclass

from answerable.model.decision import Target
from answerable.model.ids import AgentId

# What an amendment can be for: what is named, and what a server asks back.
ASKABLE = frozenset(
    {
        *(Target.TOOL, Target.RESOURCE, Target.PROMPT),
        *(Target.PERSON, Target.MODEL, Target.ROOTS),
    }
)


@dataclass(frozen=True, slots=True, order=True)
class Wanted:
    """One act of one agent, as narrow as a decision knows it.

    Attributes:
        agent: Whose call it was.
        server: Upstream server, as the configuration names it.
        target: What is acted on.
        name: The tool, prompt or URI, exactly; empty for what has no name.
        arguments: SHA-256 of the arguments as they came, hex; empty without any.
    """

    agent: AgentId
    server: str
    target: Target
    name: str
    arguments: str
