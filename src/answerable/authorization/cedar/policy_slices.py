"""Select and evaluate the policies relevant to one agent and resource, with a cache.

A slice holds unconditional rules, decided when it is built; compiled conditions; and
policies for the Cedar engine, parsed on first use. Slices are built on demand, and
those least recently used are evicted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from answerable.authorization.cedar.cedar_request import (
    CedarRequest,
    build_resource_uid,
)
from answerable.authorization.cedar.condition_compiler import (
    CompiledConditions,
    EvaluationFailure,
)
from answerable.authorization.cedar.engine import EngineQuery, PolicySetCache
from answerable.authorization.cedar.parser_differentials import AmbiguityCheck
from answerable.authorization.cedar.scopes import resource_server
from answerable.model.cedar_policy import NO_CEDAR_POLICIES, CedarPolicy, CedarPolicySet
from answerable.model.decision import (
    AuthorizationRequest,
    Decision,
    DecisionEffect,
    DecisionLayer,
)
from answerable.model.ids import AgentId

# Slices in memory: this many that were asked for lately, and as many before these.
CACHE_SIZE = 12_000
MAX_CACHED_NAME = 512  # characters of a name whose slice is kept

_LAYER_DEPTH = {
    DecisionLayer.TABLE: 0,
    DecisionLayer.CONSTRAINT: 1,
    DecisionLayer.CEDAR: 2,
}
_PERMISSIVE = frozenset({DecisionEffect.ALLOW, DecisionEffect.ASK})
_conditions = msgspec.json.Decoder(list[dict[str, object]])


Positions = tuple[int, ...]
SliceKey = tuple[AgentId, str, str, str, str]


@dataclass(slots=True, eq=False)
class PolicyResponse:
    """Combined response of the policies; a slice reuses equal responses.

    Attributes:
        effect: Error if one errs, else deny if one forbids, else ask, else allow; None
            if no policy applies.
        rules: Ids of the determining rules, in order.
        layer: The deepest layer used.
        decision: Cached decision made from it.
    """

    effect: DecisionEffect | None
    rules: tuple[str, ...]
    layer: DecisionLayer
    decision: Decision | None = None


class SliceCache:
    """Cache of the slices of one policy set.

    Args:
        before: Cache of the previous set; parsed policies with equal texts are reused.
    """

    def __init__(
        self,
        rules: CedarPolicySet = NO_CEDAR_POLICIES,
        before: "SliceCache | None" = None,
    ) -> None:
        self.rules = rules.rules
        self._index: dict[tuple[str, str], list[int]] = {}
        self._connects: dict[tuple[str, str], int] = {}
        for position, rule in enumerate(self.rules):
            key = (rule.principal, rule.resource)
            self._index.setdefault(key, []).append(position)
            if rule.effect is DecisionEffect.ALLOW:
                connects = (rule.principal, resource_server(rule.resource))
                self._connects.setdefault(connects, position)
        if any(rule.layer is DecisionLayer.CEDAR for rule in self.rules):
            import cedarpy  # noqa: F401 - a tenth of a second, and not in a call

        texts = frozenset(rule.text for rule in self.rules)
        kept = None if before is None else before.handles
        self.handles: PolicySetCache = PolicySetCache(texts, kept)
        self._lately: dict[SliceKey, PolicySlice] = {}
        self._before: dict[SliceKey, PolicySlice] = {}

    def __bool__(self) -> bool:
        return bool(self.rules)

    def get_slice(self, request: AuthorizationRequest) -> "PolicySlice":
        """Return the cached policy slice for a request, or build it."""
        key = _slice_cache_key(request)
        found = self._lately.get(key)
        if found is not None:
            return found
        found = self._before.get(key) or self._build_slice(request)
        if len(request.name) <= MAX_CACHED_NAME:
            if len(self._lately) >= CACHE_SIZE:
                self._before, self._lately = self._lately, {}
            self._lately[key] = found
        return found

    def retain_slices(self, requests: Iterable[AuthorizationRequest]) -> None:
        """Evict all slices except those for the given requests."""
        kept = (_slice_cache_key(each) for each in requests)
        known = self._before | self._lately
        self._before = {key: known[key] for key in kept if key in known}
        self._lately = {}

    def find_connect_permit(self, request: AuthorizationRequest) -> str:
        """Return the first permit that lets an agent connect to a server, if any."""
        found = [
            self._connects.get((agent, server))
            for agent in (request.agent, "")
            for server in (request.server, "")
        ]
        first = min((each for each in found if each is not None), default=None)
        return "" if first is None else self.rules[first].id

    def _build_slice(self, request: AuthorizationRequest) -> "PolicySlice":
        """Select the policies whose scope covers a request."""
        named = build_resource_uid(request)
        found: list[int] = []
        for agent in (request.agent, ""):
            for resource in dict.fromkeys((named.id, f"server:{request.server}", "")):
                found += self._index.get((agent, resource), ())
        takes = [
            position
            for position in sorted(found)
            if self.rules[position].kind in ("", named.type)
            and _covers_action(self.rules[position], request.action)
        ]
        return PolicySlice(self.rules, self.handles, takes, request)


def _slice_cache_key(request: AuthorizationRequest) -> SliceKey:
    """Return the cache key of a request: all but its arguments."""
    return (
        request.agent, request.action, request.server, request.target, request.name,
    )  # fmt: skip


class PolicySlice:
    """Policies relevant to one agent, action and resource.

    Attributes:
        said: The response if it does not depend on the context, else None.
    """

    __slots__ = (
        "_asked",
        "_checks",
        "_erring",
        "_handles",
        "_hazards",
        "_holding",
        "_last",
        "_rules",
        "said",
    )  # fmt: skip

    # Nothing here leads back to the slices of the set: a cycle would keep a set that
    # is no more in force until the collector comes by, which is seldom.
    def __init__(
        self,
        rules: tuple[CedarPolicy, ...],
        handles: PolicySetCache,
        takes: list[int],
        request: AuthorizationRequest,
    ) -> None:
        self._rules, self._handles = rules, handles
        self._last: tuple[Positions, Positions, PolicyResponse] | None = None
        checks: list[tuple[int, CompiledConditions]] = []
        fixed: list[tuple[int, CompiledConditions]] = []
        holding: list[int] = []
        asked: list[int] = []
        facts = CedarRequest(request)
        for position in takes:
            rule = rules[position]
            if rule.layer is DecisionLayer.CEDAR:
                asked.append(position)
            elif not rule.conditions:
                holding.append(position)
            else:
                compiled = CompiledConditions(_conditions.decode(rule.conditions))
                (checks if compiled.reads_context else fixed).append(
                    (position, compiled)
                )
        more, erring = _evaluate_conditions(fixed, facts)
        self._hazards = AmbiguityCheck(
            ((each, rules[each].reads, rules[each].prefixes) for each in takes), facts
        )
        self._erring: Positions = erring + self._hazards.fixed
        self._holding: Positions = (*holding, *more)
        self._checks = tuple(checks)
        about = [rules[position] for position in asked]
        self._asked = EngineQuery(tuple(asked), about, facts) if asked else None
        self.said: PolicyResponse | None = None
        if not (checks or asked):
            self.said = combine_policy_results(rules, self._holding, self._erring)

    def evaluate(self, request: AuthorizationRequest) -> PolicyResponse:
        """Evaluate the Cedar policies that can apply to a request."""
        if self.said is not None:
            return self.said
        facts = CedarRequest(request)
        holding, erring = _evaluate_conditions(self._checks, facts)
        holding, erring = self._holding + holding, self._erring + erring
        erring += self._hazards.find_policies_with_ambiguity(facts)
        if self._asked is not None:
            more, failed = self._asked.evaluate_policies(facts, self._handles)
            holding, erring = holding + more, erring + failed
        return self._reuse_response(holding, erring)

    def evaluate_upper_bound(self) -> PolicyResponse:
        """Return the most permissive response to a request with unknown arguments."""
        rules = self._rules
        asked = () if self._asked is None else self._asked.positions
        undecided = (*(position for position, _ in self._checks), *asked)
        hoped = tuple(each for each in undecided if rules[each].effect in _PERMISSIVE)
        return combine_policy_results(rules, self._holding + hoped, self._erring)

    def _reuse_response(self, holding: Positions, erring: Positions) -> PolicyResponse:
        """Return the previous response if it is equal to the new one."""
        last = self._last
        if last is None or last[0] != holding or last[1] != erring:
            again = combine_policy_results(self._rules, holding, erring)
            self._last = last = (holding, erring, again)
        return last[2]


def combine_policy_results(
    rules: tuple[CedarPolicy, ...], holding: Positions, erring: Positions
) -> PolicyResponse:
    """Combine single policy results: error before forbid before ask before permit.

    Args:
        holding: Positions of policies that hold.
        erring: Positions of policies that err.
    """
    if erring:
        return _build_response(rules, DecisionEffect.ERROR, erring)
    for effect in (DecisionEffect.DENY, DecisionEffect.ASK, DecisionEffect.ALLOW):
        found = tuple(each for each in holding if rules[each].effect is effect)
        if found:
            return _build_response(rules, effect, found)
    return PolicyResponse(None, (), DecisionLayer.TABLE)


def _build_response(
    rules: tuple[CedarPolicy, ...], effect: DecisionEffect, determining: Positions
) -> PolicyResponse:
    """Build the response with an effect and the ids of the determining policies."""
    named = [rules[position] for position in sorted(set(determining))]
    deepest = max((rule.layer for rule in named), key=_LAYER_DEPTH.__getitem__)
    return PolicyResponse(effect, tuple(rule.id for rule in named), deepest)


def _evaluate_conditions(
    checks: Iterable[tuple[int, CompiledConditions]], request: CedarRequest
) -> tuple[Positions, Positions]:
    """Evaluate compiled conditions; return positions that hold and that err."""
    holding: Positions = ()
    erring: Positions = ()
    for position, compiled in checks:
        try:
            if compiled.check(request):
                holding += (position,)
        except EvaluationFailure:
            erring += (position,)
    return holding, erring


def _covers_action(rule: CedarPolicy, action: str) -> bool:
    """Return whether a policy applies to an MCP method."""
    return not rule.actions or action in rule.actions
