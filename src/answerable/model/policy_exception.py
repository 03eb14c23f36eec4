"""Types of policy exceptions: acts beyond an agent's rules that its owner signed.

Two attested persons sign a break-glass exception for a limited time; it also lifts what
a policy forbids. Neither kind lifts a revocation, a quarantine or an error.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.decision import TargetKind
from answerable.model.ids import AgentId
from answerable.model.time_units import MINUTE_NS

BREAK_GLASS_LIFETIME = 240 * MINUTE_NS
CONFIRMATION_WINDOW = 60 * MINUTE_NS  # the second person, after the first
MAX_EXCEPTION_LIFETIME = 366 * 24 * 60 * MINUTE_NS
# Words that stand for a value in what is signed.
ANY_ARGUMENTS = "any"  # any arguments
NO_EXPIRY = "always"
# Of a call without arguments; no arguments of a call are these bytes.
NO_ARGUMENTS = hashlib.sha256(b"").hexdigest()


class PolicyExceptionKind(StrEnum):
    """Kind of a policy exception."""

    OWNER = "owner"  # signed by the agent's owner
    BREAK_GLASS = "break-glass"  # signed by two attested persons, time-bound


@dataclass(frozen=True, slots=True)
class PolicyException:
    """Policy exception with verified, current signatures.

    Attributes:
        id: SHA-256 of the signed statement, hex.
        kind: Owner-signed or break-glass.
        agent: Agent whose calls it allows.
        server: Upstream server, as the configuration names it.
        target: Kind of the named thing.
        name: The tool, prompt or URI, exactly.
        arguments: SHA-256 of the arguments as received, hex; empty for any.
        until: NumericDate of its expiry; 0 for none.
        persons: Signers.
    """

    id: str
    kind: PolicyExceptionKind
    agent: AgentId
    server: str
    target: TargetKind
    name: str
    arguments: str
    until: int
    persons: tuple[str, ...]


class PolicyExceptionInvalidity(StrEnum):
    """Reason why a correctly signed policy exception is not in force."""

    NOT_OWNER = "signer-not-the-owner"
    NOT_ATTESTED = "signer-not-attested"
    SAME_PERSON = "one-person-twice"
    OTHER_AGENT = "confirms-another-agents"
    LATE = "confirmed-late"
    KEY_GONE = "first-key-not-in-force"  # when the second person confirmed
    UNCONFIRMED = "not-confirmed"
    ENDED = "ended"
    REVOKED = "revoked"
