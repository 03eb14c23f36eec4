"""Amendments: what an owner has signed that an agent may do beyond its rules.

A break-glass amendment is one that two attested persons sign for a while, and that
lifts what a policy forbids, too. Neither lifts a kill, a quarantine or an error.
"""

import hashlib
from dataclasses import dataclass
from enum import StrEnum

from answerable.model.decision import Target
from answerable.model.ids import AgentId, PersonId

_MINUTE = 60 * 10**9
BREAK_GLASS_LIFE = 240 * _MINUTE
CONFIRMED_WITHIN = 60 * _MINUTE  # the second person, after the first
LONGEST = 366 * 24 * 60 * _MINUTE
# Words that stand for a value in what is signed.
ANY = "any"  # whatever arguments
FOREVER = "always"
# Of a call without arguments; no arguments of a call are these bytes.
NO_ARGUMENTS = hashlib.sha256(b"").hexdigest()


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


@dataclass(frozen=True, slots=True)
class Signing:
    """The circumstances of a signature.

    Attributes:
        person: Who signs.
        store: Public key of the store that it is for.
        now: UTC nanoseconds.
    """

    person: PersonId
    store: str
    now: int


class Fallen(StrEnum):
    """Why an amendment whose signature holds does not stand."""

    NOT_OWNER = "signer-not-the-owner"
    NOT_ATTESTED = "signer-not-attested"
    SAME_PERSON = "one-person-twice"
    OTHER_AGENT = "confirms-another-agents"
    LATE = "confirmed-late"
    KEY_GONE = "first-key-not-in-force"  # when the second person confirmed
    UNCONFIRMED = "not-confirmed"
    ENDED = "ended"
    REVOKED = "revoked"
