"""Asks: what an agent wanted to do and may not, as an owner is asked about it."""

from dataclasses import dataclass, field

from answerable.model.decision import Target
from answerable.model.ids import AgentId

PER_AGENT = 20  # messages an hour, unless said
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


@dataclass(frozen=True, slots=True)
class Asked:
    """A call that was held back and that its owner could let pass, as it happens.

    Attributes:
        decision: Id of the decision, hex.
        wanted: What the agent wanted to do.
    """

    decision: str
    wanted: Wanted


@dataclass(frozen=True, slots=True)
class Asks:
    """The section `asks`: where owners hear of what was held back.

    Attributes:
        webhook: https URL that takes messages as Slack does; empty for the next.
        webhook_env: Name of the environment variable that holds it: whoever knows such
            a URL can write there.
        ca: Who signs its certificate, a file; empty for the system's.
        private: It may be at a private or loopback address.
        per_agent: Messages an hour about any one agent.
    """

    webhook: str = field(default="", repr=False)
    webhook_env: str = ""
    ca: str = ""
    private: bool = False
    per_agent: int = PER_AGENT
