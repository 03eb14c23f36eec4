"""Delegations: who acts for whom, on record; tokens only show what stands here."""

from dataclasses import dataclass

from answerable.model.claims import Confirmation
from answerable.model.ids import AgentId


@dataclass(frozen=True, slots=True)
class Delegation:
    """One link of a chain: an agent that was let act, under a rule, until a time.

    Authorisation reads this record by its id, never the claims of a token.

    Attributes:
        id: `dlg`, 32 hex digits; the run of everything done under it.
        parent: Delegation that this one is a part of, empty at the root.
        root: Id of the first one of the chain; its own where it is that.
        depth: 1 at the root.
        sub: Subject of its tokens: `person:...` where it acts for somebody, else the
            agent.
        agent: Who acts.
        actors: Agents of the chain, newest first, `agent` among them where `sub` is
            somebody else.
        owner: Who answers for the agent, `person:...`.
        rule: Id of the rule.
        rule_digest: Of the rule as it stood.
        run: Name of the attested start, e.g. `run:...` or a process.
        audiences: Audiences that tokens may be asked for under it.
        scopes: Scope tokens likewise, pairs (audience, scope).
        cnf: Key that its holder has to show.
        issued: NumericDate.
        expires: NumericDate after which nothing is given under it.
        bindings: What the rule asks a token to be bound to, pairs (audience, bind).
        ttls: Longest life of a token, pairs (audience, seconds).
    """

    id: str
    parent: str
    root: str
    depth: int
    sub: str
    agent: AgentId
    actors: tuple[AgentId, ...]
    owner: str
    rule: str
    rule_digest: str
    run: str
    audiences: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    cnf: Confirmation
    issued: int
    expires: int
    bindings: tuple[tuple[str, str], ...] = ()
    ttls: tuple[tuple[str, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Ticket:
    """A part of a delegation that its holder hands to one sub-agent, good once.

    Attributes:
        sha256: Digest of the secret, hex: the secret itself is nowhere kept.
        parent: Delegation it is a part of.
        agent: Who may use it.
        jkt: RFC 7638 thumbprint of the key that the sub-agent has to show.
        audiences: Part of the parent's.
        scopes: Part of the parent's, pairs (audience, scope).
        ttl: Longest life of what is made of it, seconds.
        expires: NumericDate after which it is worth nothing.
    """

    sha256: str
    parent: str
    agent: AgentId
    jkt: str
    audiences: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    ttl: int
    expires: int
