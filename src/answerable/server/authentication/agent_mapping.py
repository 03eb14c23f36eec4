"""Map an authenticated caller to its agent.

The configuration takes precedence; then an agent id in a token of ours; any other
caller is unknown, and gets a derived id.
"""

from itertools import combinations

from answerable.model.config import (
    Config,
    StdioCallerRule,
    TokenCallerRule,
    UnixCallerRule,
)
from answerable.model.errors import UsageError
from answerable.model.ids import AgentId, build_agent_id
from answerable.model.provenance import WrittenBy
from answerable.model.token_claims import Actor, SignedClaims
from answerable.server.connection_info import UnixPeer

AgentMatch = tuple[AgentId, bool]


class AgentMapping:
    """Agents of the configuration and of the inventory.

    Args:
        config: Names the agents and their callers.
        inventory: Ids of the agents that a scan has found.

    Raises:
        UsageError: One process could match two agents.
    """

    def __init__(self, config: Config, inventory: frozenset[AgentId]) -> None:
        self._known = inventory | {agent.id for agent in config.agents}
        rules = [(rule, each.id) for each in config.agents for rule in each.callers]
        self._by_rule = dict(rules)
        self._peers = [
            (rule, id) for rule, id in rules if isinstance(rule, UnixCallerRule)
        ]
        for (one, agent), (other, another) in combinations(self._peers, 2):
            if agent != another and _rules_overlap(one, other):
                raise UsageError(
                    f"one process could match {agent} and {another}",
                    "give their callers a different uid, gid or systemd unit",
                )

    def find_by_token(self, claims: SignedClaims, principal: str) -> AgentMatch:
        """Find the agent that a token represents.

        Raises:
            IdError: The subject cannot be part of an id.
        """
        actor = current_actor(claims) or Actor(claims.sub)
        named = self._by_rule.get(TokenCallerRule(claims.issuer, actor.sub))
        if named is None and is_own_token(claims):
            # Another issuer could name any agent.
            said = AgentId(actor.entity or actor.sub)
            named = said if said in self._known else None
        return self._match_agent(named, principal)

    def find_parents(self, claims: SignedClaims) -> tuple[AgentId, ...]:
        """List the agents above a token's actor, root first; none for other issuers."""
        if current_actor(claims) is None:
            return ()
        above = list(reversed(claims.act.actors[1:]))
        if not is_person_subject(claims.sub):
            above.insert(0, Actor(claims.sub))  # an agent that acts for no person
        return tuple(
            self._by_rule.get(TokenCallerRule(claims.issuer, each.sub))
            or AgentId(each.entity or each.sub)
            for each in above
        )

    def find_by_peer(self, peer: UnixPeer, principal: str) -> AgentMatch:
        """Find the agent of a process at a unix socket."""
        fits = (agent for rule, agent in self._peers if _peer_matches_rule(rule, peer))
        return self._match_agent(next(fits, None), principal)

    def find_by_parent(self, server: str, principal: str) -> AgentMatch:
        """Find the agent that starts the stdio wrapper of a server."""
        return self._match_agent(self._by_rule.get(StdioCallerRule(server)), principal)

    def _match_agent(
        self, configured_agent: AgentId | None, principal: str
    ) -> AgentMatch:
        """Return the agent, configured or by principal, and whether it is known."""
        agent = configured_agent or build_agent_id("caller", principal)
        return agent, agent in self._known


def is_own_token(claims: SignedClaims) -> bool:
    """Return whether our own token service issued a token."""
    return claims.act.written_by is WrittenBy.MEDIATOR


def current_actor(claims: SignedClaims) -> Actor | None:
    """Return the current actor in a token of ours; None where the subject acts."""
    actors = claims.act.actors if is_own_token(claims) else ()
    return actors[0] if actors else None


def is_person_subject(sub: str) -> bool:
    """Return whether the subject of a token of ours is a person."""
    return sub.startswith("person:")


def _peer_matches_rule(rule: UnixCallerRule, peer: UnixPeer) -> bool:
    """Return whether a process matches a rule's user, group and systemd unit."""
    return (
        rule.uid == peer.uid
        and rule.gid in (None, peer.gid)
        and rule.unit in ("", peer.unit)
    )


def _rules_overlap(one: UnixCallerRule, other: UnixCallerRule) -> bool:
    """Return whether one process could match both rules."""
    return (
        one.uid == other.uid
        and (one.gid is None or other.gid is None or one.gid == other.gid)
        and (not one.unit or not other.unit or one.unit == other.unit)
    )
