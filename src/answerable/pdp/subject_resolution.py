"""Resolve the subject of an AuthZEN request to a known agent.

| `subject.type` | `id` | found by |
|---|---|---|
| `identity` with `properties.token` | the token's `sub` | the token, verified here |
| `identity` | `sub` of a token that the enforcement point verified | the one caller rule that has it |
| `agent` | `agent:...`, or the name of an agent of the file | the file and the inventory |

An unknown subject is a stranger, decided by the default mode. An agent named in the
context must be the resolved one, and grants nothing by itself.
"""

from collections.abc import Callable

from answerable.federation.spiffe_id import is_trust_domain
from answerable.federation.token_errors import TokenRejected
from answerable.model.caller import AuthenticationMethod, VerifiedCaller
from answerable.model.config import Config, TokenCallerRule
from answerable.model.errors import IdError
from answerable.model.ids import AgentId, build_agent_id
from answerable.pdp.enforcement_points import EnforcementPoint
from answerable.pdp.wire.evaluation_request import EvaluationRequest, EvaluationSubject
from answerable.server.authentication.authenticator import CallerAuthenticator
from answerable.server.authentication.errors import IssuerKeysNeeded

IDENTITY, AGENT = "identity", "agent"
_DECLARED = "agent:declared/"


class SubjectResolver:
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
        callers: CallerAuthenticator,
        clock: Callable[[], float],
    ) -> None:
        self._callers, self._clock = callers, clock
        self._index_agents_and_callers(config, inventory)

    def reconfigure(self, config: Config, inventory: frozenset[AgentId]) -> None:
        """Apply another configuration.

        Raises:
            AnswerableError: It cannot be used; the current one stays.
        """
        self._callers.reconfigure(config, inventory)
        self._index_agents_and_callers(config, inventory)

    @property
    def known_agents(self) -> list[AgentId]:
        """Return every agent of the file and the inventory, sorted."""
        return sorted(self._known)

    @property
    def audiences(self) -> frozenset[str]:
        """Return the audiences that a subject's token must name one of."""
        return frozenset(each.audience for each in self._issuers)

    def get_caller_rules(self, agent: AgentId) -> list[TokenCallerRule]:
        """Return the token rules that identify an agent as caller."""
        return [rule for rule, each in self._by_rule.items() if each == agent]

    async def resolve(
        self, evaluation: EvaluationRequest, enforcement_point: EnforcementPoint
    ) -> VerifiedCaller:
        """Return the agent that an evaluation is about, as a verified caller."""
        caller = await self.resolve_subject(evaluation.subject, enforcement_point)
        named = self._find_agent(evaluation.agent) if evaluation.agent else None
        if named is not None and named != caller.agent:
            # The subject and the context name two agents, so neither is taken.
            return _build_unknown_caller(evaluation.subject, enforcement_point)
        return caller

    async def resolve_subject(
        self, subject: EvaluationSubject, enforcement_point: EnforcementPoint
    ) -> VerifiedCaller:
        """Return the agent that a subject means, as a verified caller."""
        if subject.type == IDENTITY and subject.token:
            return await self._resolve_token(subject, enforcement_point)
        if subject.type == IDENTITY:
            return self._resolve_sub(subject, enforcement_point)
        found = self._find_agent(subject.id) if subject.type == AGENT else None
        if found is None:
            return _build_unknown_caller(subject, enforcement_point)
        return _build_caller(
            found, f"{enforcement_point.principal}/{found}", is_known=True
        )

    def resolve_certificate(self, principal: str) -> VerifiedCaller | None:
        """Return the caller of a verified certificate; None if unknown.

        Args:
            principal: Its SPIFFE id; the pinned issuer of the trust domain has the
                rules.
        """
        for issuer in self._issuers:
            rule = TokenCallerRule(issuer.pin.name, principal)
            is_of_it = principal.startswith(issuer.pin.iss + "/")
            if is_trust_domain(issuer.pin.iss) and is_of_it and rule in self._by_rule:
                agent, named = self._by_rule[rule], f"{rule.issuer}/{principal}"
                return _build_caller(agent, named, is_known=True)
        return None

    async def _resolve_token(
        self, subject: EvaluationSubject, enforcement_point: EnforcementPoint
    ) -> VerifiedCaller:
        """Resolve a subject by its token; an unknown caller if it is not valid."""
        for _ in range(2):
            try:
                caller = self._callers.authenticate_token(subject.token, self._clock())
            except IssuerKeysNeeded as needed:
                await self._callers.fetch_keys(needed.issuer)
            except TokenRejected:
                break
            else:
                # The id is the subject's, as the token says (COAZ-MCP, 8).
                is_same = subject.id in _get_token_subjects(caller)
                return (
                    caller
                    if is_same
                    else _build_unknown_caller(subject, enforcement_point)
                )
        return _build_unknown_caller(subject, enforcement_point)

    def _resolve_sub(
        self, subject: EvaluationSubject, enforcement_point: EnforcementPoint
    ) -> VerifiedCaller:
        """Resolve a subject id by the one caller rule whose `sub` names it."""
        rules = [each for each in self._by_rule if each.sub == subject.id]
        if len(rules) != 1:
            return _build_unknown_caller(subject, enforcement_point)
        rule = rules[0]
        return _build_caller(
            self._by_rule[rule], f"{rule.issuer}/{rule.sub}", is_known=True
        )

    def _find_agent(self, name: str) -> AgentId | None:
        """Return the known agent with this id or declared name; None if unknown."""
        for id in (AgentId(name), AgentId(_DECLARED + name)):
            if id in self._known:
                return id
        return None

    def _index_agents_and_callers(
        self, config: Config, inventory: frozenset[AgentId]
    ) -> None:
        """Index the agents and caller rules of a configuration."""
        self._issuers = config.issuers
        self._known = inventory | {agent.id for agent in config.agents}
        self._by_rule = {
            rule: agent.id
            for agent in config.agents
            for rule in agent.callers
            if isinstance(rule, TokenCallerRule)
        }


def _get_token_subjects(caller: VerifiedCaller) -> set[str]:
    """Return the subjects in a token caller's principal."""
    _, _, subs = caller.principal.partition("/")
    return {subs, *subs.split(" by ")}


def _build_caller(agent: AgentId, principal: str, *, is_known: bool) -> VerifiedCaller:
    """Build a caller whose identity the enforcement point vouches for."""
    return VerifiedCaller(
        agent=agent,
        known=is_known,
        person="",
        run="",
        shown=AuthenticationMethod.ENFORCEMENT_POINT,
        principal=principal,
        token_sha256=b"",
        expires=0,
    )


def _build_unknown_caller(
    subject: EvaluationSubject, enforcement_point: EnforcementPoint
) -> VerifiedCaller:
    """Build the caller for a subject that is not a known agent."""
    try:
        agent = build_agent_id("asked", subject.type, subject.id)
    except IdError:
        agent = build_agent_id("asked", "unspeakable")
    return _build_caller(
        agent, f"{enforcement_point.principal}/{agent}", is_known=False
    )
