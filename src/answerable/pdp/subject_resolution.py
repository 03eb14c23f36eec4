"""Resolution of an AuthZEN subject to a caller.

| `subject.type` | `id` | found by |
|---|---|---|
| `identity` with `properties.token` | the token's `sub` | the token, verified here |
| `identity` | `sub` of a token that the enforcement point verified | the one caller rule that has it |
| `agent` | `agent:...`, or the name of an agent of the file | the file and the inventory |

An unknown subject is a stranger, decided by the default mode. An agent named in the
context must be the resolved one, and grants nothing by itself.
"""

from collections.abc import Callable

from answerable.federation.errors import TokenRefused
from answerable.federation.spiffe_id import is_trust_domain
from answerable.model.caller import Caller, Shown
from answerable.model.config import Config, IssuerCaller
from answerable.model.errors import IdError
from answerable.model.ids import AgentId, agent_id
from answerable.pdp.enforcement_points import Enforcer
from answerable.pdp.wire.evaluation_request import Evaluation, Subject
from answerable.server.authentication.authenticator import Callers
from answerable.server.authentication.errors import KeysNeeded

IDENTITY, AGENT = "identity", "agent"
_DECLARED = "agent:declared/"


class Subjects:
    """Resolver of subjects.

    Args:
        config: Declared agents and caller rules.
        inventory: Ids of discovered agents.
        clock: Returns NumericDates.
    """

    def __init__(
        self,
        config: Config,
        inventory: frozenset[AgentId],
        callers: Callers,
        clock: Callable[[], float],
    ) -> None:
        self._callers, self._clock = callers, clock
        self._use(config, inventory)

    def swap(self, config: Config, inventory: frozenset[AgentId]) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        self._callers.swap(config, inventory)
        self._use(config, inventory)

    @property
    def known(self) -> list[AgentId]:
        """Return every agent of the file and the inventory, sorted."""
        return sorted(self._known)

    @property
    def audiences(self) -> frozenset[str]:
        """Return the audiences of subject tokens."""
        return frozenset(each.audience for each in self._issuers)

    def rules_of(self, agent: AgentId) -> list[IssuerCaller]:
        """Return the caller rules of an agent."""
        return [rule for rule, each in self._by_rule.items() if each == agent]

    async def find(self, evaluation: Evaluation, asked_by: Enforcer) -> Caller:
        """Return the caller of an evaluation."""
        caller = await self.of(evaluation.subject, asked_by)
        named = self._agent(evaluation.agent) if evaluation.agent else None
        if named is not None and named != caller.agent:
            # The subject and the context name two agents, so neither is taken.
            return _stranger(evaluation.subject, asked_by)
        return caller

    async def of(self, subject: Subject, asked_by: Enforcer) -> Caller:
        """Return the caller of a subject."""
        if subject.type == IDENTITY and subject.token:
            return await self._of_token(subject, asked_by)
        if subject.type == IDENTITY:
            return self._of_sub(subject, asked_by)
        found = self._agent(subject.id) if subject.type == AGENT else None
        if found is None:
            return _stranger(subject, asked_by)
        return _caller(found, f"{asked_by.principal}/{found}", known=True)

    def of_certificate(self, principal: str) -> Caller | None:
        """Return the caller of a verified certificate; None if unknown.

        Args:
            principal: Its SPIFFE id; the pinned issuer of the trust domain has the
                rules.
        """
        for issuer in self._issuers:
            rule = IssuerCaller(issuer.pin.name, principal)
            is_of_it = principal.startswith(issuer.pin.iss + "/")
            if is_trust_domain(issuer.pin.iss) and is_of_it and rule in self._by_rule:
                agent, named = self._by_rule[rule], f"{rule.issuer}/{principal}"
                return _caller(agent, named, known=True)
        return None

    async def _of_token(self, subject: Subject, asked_by: Enforcer) -> Caller:
        for _ in range(2):
            try:
                caller = self._callers.vouched(subject.token, self._clock())
            except KeysNeeded as needed:
                await self._callers.fetch(needed.issuer)
            except TokenRefused:
                break
            else:
                # The id is the subject's, as the token says (COAZ-MCP, 8).
                is_same = subject.id in _subs(caller)
                return caller if is_same else _stranger(subject, asked_by)
        return _stranger(subject, asked_by)

    def _of_sub(self, subject: Subject, asked_by: Enforcer) -> Caller:
        rules = [each for each in self._by_rule if each.sub == subject.id]
        if len(rules) != 1:
            return _stranger(subject, asked_by)
        rule = rules[0]
        return _caller(self._by_rule[rule], f"{rule.issuer}/{rule.sub}", known=True)

    def _agent(self, named: str) -> AgentId | None:
        for id in (AgentId(named), AgentId(_DECLARED + named)):
            if id in self._known:
                return id
        return None

    def _use(self, config: Config, inventory: frozenset[AgentId]) -> None:
        self._issuers = config.issuers
        self._known = inventory | {agent.id for agent in config.agents}
        self._by_rule = {
            rule: agent.id
            for agent in config.agents
            for rule in agent.callers
            if isinstance(rule, IssuerCaller)
        }


def _subs(caller: Caller) -> set[str]:
    """Return the subjects in a token caller's principal."""
    _, _, subs = caller.principal.partition("/")
    return {subs, *subs.split(" by ")}


def _caller(agent: AgentId, principal: str, *, known: bool) -> Caller:
    return Caller(
        agent=agent,
        known=known,
        person="",
        run="",
        shown=Shown.ENFORCEMENT_POINT,
        principal=principal,
        token_sha256=b"",
        expires=0,
    )


def _stranger(subject: Subject, asked_by: Enforcer) -> Caller:
    try:
        agent = agent_id("asked", subject.type, subject.id)
    except IdError:
        agent = agent_id("asked", "unspeakable")
    return _caller(agent, f"{asked_by.principal}/{agent}", known=False)
