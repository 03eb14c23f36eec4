"""Types of the token service's delegation records, to which tokens refer by id."""

from dataclasses import dataclass

from answerable.model.ids import AgentId
from answerable.model.token_claims import Confirmation


@dataclass(frozen=True, slots=True)
class Delegation:
    """Delegation: one link of a chain that lets an agent act under a rule until a time.

    Authorization reads this record by its id, never a token's claims.

    Attributes:
        id: `dlg`, 32 hex digits; the run of everything done under it.
        parent: Parent delegation, empty at the root.
        root: Id of the first delegation of the chain; its own id at the root.
        depth: 1 at the root.
        sub: Subject of its tokens: `person:...` where it acts for a person, else the
            agent.
        agent: Acting agent.
        actors: Agents of the chain, newest first; includes `agent` where `sub` differs.
        owner: Owner of the agent, `person:...`.
        rule: Id of the rule.
        rule_digest: Digest of the rule at that time.
        run: Name of the attested start, e.g. `run:...` or a process.
        audiences: Audiences for which tokens may be requested.
        scopes: Requestable scope tokens, pairs (audience, scope).
        cnf: Key that its holder must prove.
        issued: NumericDate.
        expires: NumericDate after which no token is issued under it.
        bindings: Required token bindings, pairs (audience, bind).
        ttls: Maximum token lifetimes, pairs (audience, seconds).
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
class DelegationTicket:
    """Single-use ticket for a part of a delegation, handed to one sub-agent.

    Attributes:
        sha256: Digest of the secret, hex; the secret itself is never stored.
        parent: Parent delegation.
        agent: Agent that may use it.
        jkt: RFC 7638 thumbprint of the key that the sub-agent must prove.
        audiences: Part of the parent's.
        scopes: Part of the parent's, pairs (audience, scope).
        ttl: Maximum lifetime of the resulting delegation, seconds.
        expires: NumericDate of its expiry.
    """

    sha256: str
    parent: str
    agent: AgentId
    jkt: str
    audiences: tuple[str, ...]
    scopes: tuple[tuple[str, str], ...]
    ttl: int
    expires: int
