"""Types of an authorization request and the decision on it.

A request has no free-text field: an agent's statements about itself or its reasons are
never an input. The name of a tool, a prompt or a resource is the object of the action.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from answerable.model.ids import AgentId


class HashableStrEnum(StrEnum):
    """String enum whose members hash as their text.

    `Enum` hashes names in Python code, and every call looks up a dozen members.
    """

    __hash__ = str.__hash__


class TargetKind(HashableStrEnum):
    """Kind of thing that an MCP method acts on; rules allow it by name."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    REFERENCE = "reference"  # completion: a prompt or a resource, its ref says which
    TASK = "task"
    STREAM = "stream"  # notifications of a listen stream
    LIST = "list"
    DISCOVERY = "discovery"
    SESSION = "session"
    LOGGING = "logging"
    PING = "ping"
    REQUEST = "request"  # another request of the same caller, by its id or token
    PERSON = "person"  # an input that the client asks of its person
    MODEL = "model"  # a completion that the client asks of its model
    ROOTS = "roots"


class EnforcementMode(HashableStrEnum):
    """Enforcement mode of an agent's calls."""

    OBSERVE = "observe"  # decided and recorded; nothing is blocked
    SHADOW = "shadow"  # the same, and would-be denials are counted
    ENFORCE = "enforce"


class DecisionEffect(HashableStrEnum):
    """Effect of a decision."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    ERROR = "error"  # no decision was possible; treated as a denial


class DecisionReason(HashableStrEnum):
    """Reason of a decision, for evidence and the owner; never sent to the caller."""

    ALLOWED = "allowed"
    KILLED = "killed"
    UNKNOWN_AGENT = "unknown-agent"
    UNKNOWN_SERVER = "unknown-server"
    NO_RULE = "no-rule"
    NOT_ITS_OWN = "not-its-own"  # a task, state or session of another caller
    QUARANTINED = "quarantined"  # its definition or its server is not what was approved
    FORBIDDEN = "forbidden"  # a policy forbids what a rule would allow
    ASKED = "asked"  # needs the owner's approval
    PARENT = "parent"  # a parent agent in the chain may not do it
    BEHAVIOUR = "behaviour"  # outside the identity's signed baseline
    GRANTED = "granted"  # a signed policy exception allows it
    BREAK_GLASS = "break-glass"  # two attested persons allow it, for a while
    POLICY_MISSING = "policy-missing"  # no policy was ever loaded
    EVALUATION = "evaluation"  # the decision itself failed
    CREDENTIAL = "credential"  # there is no token to show to the server
    EVIDENCE = "evidence"  # it could not be recorded, so it is blocked


class DecisionLayer(HashableStrEnum):
    """Layer that decided, in evaluation order."""

    KILL = "kill"
    QUARANTINE = "quarantine"
    TABLE = "table"  # a rule by agent, server and name
    CONSTRAINT = "constraint"  # a rule that reads arguments, compiled
    CEDAR = "cedar"  # policies evaluated by the Cedar engine
    CHAIN = "chain"  # the parent agents
    BASELINE = "baseline"
    OWNERSHIP = "ownership"  # owner of a task, a state or a session
    CREDENTIAL = "credential"
    EVIDENCE = "evidence"


class RecordDurability(HashableStrEnum):
    """Durability class of a decision's record."""

    BUFFERED = "buffered"  # within one group, 20 ms
    DURABLE = "durable"  # before the call is forwarded


class AuthorizationRequest(msgspec.Struct, frozen=True, gc=False):
    """Authorization request; a struct because every call makes one.

    Attributes:
        agent: Agent of the verified caller.
        known: That agent is in the inventory or the configuration.
        server: Upstream server, as the configuration names it.
        action: MCP method, e.g. `tools/call`.
        target: Kind of thing that the method acts on.
        name: Tool, prompt, URI or task; empty for an unnamed target.
        run: Run of the caller; a revocation may name it.
        principal: Principal of the caller; a revocation may name it.
        person: Person that the call is made for; empty for none. A revocation may name
            it.
        identity: Principal that the upstream server sees; empty where we present no
            token.
        chain: Parent agents, root first; the call must be allowed to each.
        arguments: Arguments as received, a JSON object; empty without any. They are the
            action that is decided on, never a reason for it.
    """

    agent: AgentId
    known: bool
    server: str
    action: str
    target: TargetKind
    name: str
    run: str
    principal: str
    person: str = ""
    identity: str = ""
    chain: tuple[AgentId, ...] = ()
    arguments: bytes | memoryview = b""


@dataclass(frozen=True, slots=True)
class Decision:
    """Decision and the rules that determined it.

    Attributes:
        effect: Effect by the policy.
        passes: The call proceeds: it is allowed, or the mode blocks nothing. A
            revocation blocks in every mode.
        mode: Mode of the agent.
        determining: Ids of the rules that decided, e.g. `agents.invoices.allow[2]`.
        policy: Digest of the policy in force, hex, empty where there is none.
        durability: Deadline for its record to be on disk.
        layer: Deciding layer.
    """

    effect: DecisionEffect
    passes: bool
    mode: EnforcementMode
    reason: DecisionReason
    determining: tuple[str, ...]
    policy: str
    durability: RecordDurability
    layer: DecisionLayer = DecisionLayer.TABLE

    def with_durability(self, durability: RecordDurability) -> "Decision":
        """Return a copy with another durability of its record."""
        return replace(self, durability=durability)
