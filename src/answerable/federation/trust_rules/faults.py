"""Codes and messages of the faults in trust rules, found at load."""

from dataclasses import dataclass
from enum import StrEnum


class RuleFaultCode(StrEnum):
    """Reason why a rule is rejected at load."""

    ID = "id"
    DUPLICATE_ID = "duplicate-id"
    NOT_ASCII = "not-ascii"
    # Subject
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
    # Agent and person
    AGENT = "agent"
    AGENT_UNKNOWN = "agent-unknown"
    NO_ATTESTED_OWNER = "no-attested-owner"
    PERSON = "person"
    # Grants
    NO_GRANT = "no-grant"
    GRANT_TWICE = "grant-twice"
    AUDIENCE = "audience"
    AUDIENCE_TAKEN = "audience-taken"
    SCOPE = "scope"
    TTL = "ttl"
    BROKERED = "brokered"
    # Delegation
    DELEGATE = "delegate"
    ON_BEHALF_OF = "on-behalf-of"


@dataclass(frozen=True, slots=True)
class RuleFault:
    """One fault of a rule.

    Attributes:
        position: Index of the rule in the file, from 0.
        at: The part of the rule, e.g. `grants[0].audience`; empty for the whole.
        what: One line for people.
    """

    rule: str
    position: int
    at: str
    wrong: RuleFaultCode
    what: str
