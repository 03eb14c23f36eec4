"""Approval requests: blocked calls that the agent's owner is asked to approve."""

from dataclasses import dataclass, field

from answerable.model.decision import TargetKind
from answerable.model.ids import AgentId

DEFAULT_MESSAGES_PER_AGENT = 20  # messages an hour by default
# Targets of a policy exception: named things, and client features a server asks for.
APPROVABLE_TARGETS = frozenset(
    {
        TargetKind.TOOL,
        TargetKind.RESOURCE,
        TargetKind.PROMPT,
        TargetKind.PERSON,
        TargetKind.MODEL,
        TargetKind.ROOTS,
    }
)


@dataclass(frozen=True, slots=True, order=True)
class ApprovalScope:
    """Scope of an approval: one action of one agent, as recorded by a decision.

    Attributes:
        agent: Calling agent.
        server: Upstream server, as the configuration names it.
        target: Kind of the named thing.
        name: The exact tool, prompt or URI; empty for an unnamed target.
        arguments: SHA-256 of the arguments as received, hex; empty without any.
    """

    agent: AgentId
    server: str
    target: TargetKind
    name: str
    arguments: str


@dataclass(frozen=True, slots=True)
class BlockedCall:
    """Blocked call that the agent's owner may approve, reported as it happens.

    Attributes:
        decision: Id of the decision, hex.
        wanted: Scope that an approval would allow.
    """

    decision: str
    wanted: ApprovalScope


@dataclass(frozen=True, slots=True)
class ApprovalRequestConfig:
    """Section `asks`: the webhook that notifies owners of blocked calls.

    Attributes:
        webhook: https URL that takes messages as Slack does; empty for the next.
        webhook_env: Environment variable that holds the URL, which is a secret: knowing
            it allows posting.
        ca: CA file for its certificate; empty for the system's.
        private: Allow a private or loopback address.
        per_agent: Maximum messages an hour per agent.
    """

    webhook: str = field(default="", repr=False)
    webhook_env: str = ""
    ca: str = ""
    private: bool = False
    per_agent: int = DEFAULT_MESSAGES_PER_AGENT
