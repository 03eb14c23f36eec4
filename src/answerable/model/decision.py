"""Decisions: what a verified caller asks to do, and what is answered.

A request has no field for free text: what an agent says of itself or of its reasons
has no way in. The name of a tool, a prompt or a resource is what is acted on.
"""

from dataclasses import dataclass, replace
from enum import StrEnum

import msgspec

from answerable.model.ids import AgentId


class Word(StrEnum):
    """A word of a fixed set, hashed as the text that it equals.

    `Enum` hashes names in Python code, and every call looks up a dozen of these.
    """

    __hash__ = str.__hash__


class Target(Word):
    """What an MCP method acts on; the decision asks for a right over it by name."""

    TOOL = "tool"
    RESOURCE = "resource"
    PROMPT = "prompt"
    REFERENCE = "reference"  # completion: a prompt or a resource, its ref says which
    TASK = "task"
    STREAM = "stream"  # what a listen stream may bring
    LIST = "list"
    DISCOVERY = "discovery"
    SESSION = "session"
    LOGGING = "logging"
    PING = "ping"
    REQUEST = "request"  # another request of the same caller, by its id or token
    PERSON = "person"  # an input that the client asks of its person
    MODEL = "model"  # a completion that the client asks of its model
    ROOTS = "roots"


class Mode(Word):
    """What a decision does to the calls of an agent."""

    OBSERVE = "observe"  # decided and recorded; nothing is held back
    SHADOW = "shadow"  # the same, and what would be held back is counted as such
    ENFORCE = "enforce"


class Effect(Word):
    """The answer of the decision point."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"
    ERROR = "error"  # nothing could be decided, which is a denial


class Reason(Word):
    """Why, as evidence and owner see it; a caller never does."""

    ALLOWED = "allowed"
    KILLED = "killed"
    UNKNOWN_AGENT = "unknown-agent"
    UNKNOWN_SERVER = "unknown-server"
    NO_RULE = "no-rule"
    NOT_ITS_OWN = "not-its-own"  # a task, state or session of another caller
    QUARANTINED = "quarantined"  # its definition or its server is not what was approved
    FORBIDDEN = "forbidden"  # a policy forbids what a rule would allow
    ASKED = "asked"  # allowed only once its owner has said so
    PARENT = "parent"  # an agent above it in the chain may not do it either
    BEHAVIOUR = "behaviour"  # the signed baseline of the identity does not hold it
    GRANTED = "granted"  # a signed amendment allows it
    BREAK_GLASS = "break-glass"  # two attested persons allow it, for a while
    POLICY_MISSING = "policy-missing"  # nothing was ever loaded that could decide
    EVALUATION = "evaluation"  # the decision itself failed
    CREDENTIAL = "credential"  # there is no token to show to the server
    EVIDENCE = "evidence"  # it could not be recorded, so it does not happen


class Layer(Word):
    """What decided, in the order in which it is asked."""

    KILL = "kill"
    QUARANTINE = "quarantine"
    TABLE = "table"  # what a rule says of an agent, a server and a name
    CONSTRAINT = "constraint"  # a rule that reads arguments, compiled
    CEDAR = "cedar"  # policies that Cedar itself was asked about
    CHAIN = "chain"  # the agents above
    BASELINE = "baseline"
    OWNERSHIP = "ownership"  # whose a task, a state or a session is
    CREDENTIAL = "credential"
    EVIDENCE = "evidence"


class Durability(Word):
    """When a decision is on disk."""

    BUFFERED = "buffered"  # within one group, 20 ms
    DURABLE = "durable"  # before the call goes on


class Request(msgspec.Struct, frozen=True, gc=False):
    """What is asked of the decision point; made with every call, so it is a struct.

    Attributes:
        agent: The agent that a verified caller stands for.
        known: That agent is in the inventory or the configuration.
        server: Upstream server, as the configuration names it.
        action: MCP method, e.g. `tools/call`.
        target: What the method acts on.
        name: Tool, prompt, URI or task; empty where nothing is named.
        run: Run of the caller; a kill may name it.
        principal: Principal of the caller; likewise.
        person: Person that the call is made for; likewise. Empty where for nobody.
        identity: Principal that the server sees the call come from; empty where it is
            shown no token of ours.
        chain: Agents above, root first; the call needs to be allowed to each.
        arguments: The arguments as they came, a JSON object; empty without any. They
            are the act that is judged, and never a reason for it.
    """

    agent: AgentId
    known: bool
    server: str
    action: str
    target: Target
    name: str
    run: str
    principal: str
    person: str = ""
    identity: str = ""
    chain: tuple[AgentId, ...] = ()
    arguments: bytes | memoryview = b""


@dataclass(frozen=True, slots=True)
class Decision:
    """What was decided, and what determined it.

    Attributes:
        effect: What the policy says.
        passes: The call goes on: it is allowed, or the mode holds nothing back. A kill
            holds in every mode.
        mode: Mode of the agent.
        reason: Why.
        determining: Ids of the rules that decided, e.g. `agents.invoices.allow[2]`.
        policy: Digest of the policy in force, hex, empty where there is none.
        durability: When the record of it has to be on disk.
        layer: What decided.
    """

    effect: Effect
    passes: bool
    mode: Mode
    reason: Reason
    determining: tuple[str, ...]
    policy: str
    durability: Durability
    layer: Layer = Layer.TABLE

    def lasting(self, durability: Durability) -> "Decision":
        """The same, on disk when that class says."""
        return replace(self, durability=durability)
