"""What can be wrong with a rule, by name."""

from dataclasses import dataclass
from enum import StrEnum


class Wrong(StrEnum):
    """Why a rule is refused when it is loaded."""

    ID = "id"
    DUPLICATE_ID = "duplicate-id"
    NOT_ASCII = "not-ascii"
    # Whom it speaks of
    ISSUER_UNKNOWN = "issuer-unknown"
    ISSUER_OURS = "issuer-ours"
    GLOB_ON_ISSUER = "glob-on-issuer"
    EMPTY_MATCH = "empty-match"
    CLAIM_TWICE = "claim-twice"
    NO_IMMUTABLE_ID = "no-immutable-id"
    PATTERN = "pattern"
    PATTERN_IN_MATCH = "pattern-in-match"
    ROOT = "root"
    OVERLAP = "overlap"
    # As whom it lets it act
    AGENT = "agent"
    AGENT_UNKNOWN = "agent-unknown"
    NO_ATTESTED_OWNER = "no-attested-owner"
    PERSON = "person"
    # What it gives
    NO_GRANT = "no-grant"
    GRANT_TWICE = "grant-twice"
    AUDIENCE = "audience"
    AUDIENCE_TAKEN = "audience-taken"
    SCOPE = "scope"
    TTL = "ttl"
    BROKERED = "brokered"
    # To whom, and for whom
    DELEGATE = "delegate"
    ON_BEHALF_OF = "on-behalf-of"


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One thing that is wrong with a rule.

    Attributes:
        rule: Id of the rule.
        position: Of the rule in the file, from 0.
        at: Which part of it, as the file names it, e.g. `grants[0].audience`; empty for
            the whole.
        wrong: What is wrong.
        what: One line for people.
    """

    rule: str
    position: int
    at: str
    wrong: Wrong
    what: str
