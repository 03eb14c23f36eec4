"""Policy slices: the policies relevant to one agent and one resource, cached.

A slice holds unconditional rules, decided when it is built; compiled conditions; and
policies for the Cedar engine, parsed on first use. Slices are built on demand, and
those least recently used are evicted.
"""

from collections.abc import Iterable
from dataclasses import dataclass

import msgspec

from answerable.authorization.cedar.cedar_request import Facts, resource_of
from answerable.authorization.cedar.conditions import Compiled, Erring
from answerable.authorization.cedar.engine import Asked, Handles
from answerable.authorization.cedar.parser_differentials import Hazards
from answerable.authorization.cedar.scopes import server_of
from answerable.model.cedar_policy import NO_RULES, CedarRule, CedarRules
from answerable.model.decision import Decision, Effect, Layer, Request
from answerable.model.ids import AgentId

# Slices in memory: this many that were asked for lately, and as many before these.
KEPT = 12_000
LONGEST = 512  # characters of a name whose slice is kept

_DEPTH = {Layer.TABLE: 0, Layer.CONSTRAINT: 1, Layer.CEDAR: 2}
_HOPED = frozenset({Effect.ALLOW, Effect.ASK})
_conditions = msgspec.json.Decoder(list[dict[str, object]])


Positions = tuple[int, ...]
Key = tuple[AgentId, str, str, str, str]


@dataclass(slots=True, eq=False)
class Said:
    """Combined response of the policies; a slice reuses equal responses.

    Attributes:
        effect: Error if one errs, else deny if one forbids, else ask, else allow; None
            if no policy applies.
        rules: Ids of the determining rules, in order.
        layer: The deepest layer used.
        decision: Cached decision made from it.
    """

    effect: Effect | None
    rules: tuple[str, ...]
    layer: Layer
    decision: Decision | None = None


class Slices:
    """Cache of the slices of one policy set.

    Args:
        before: Cache of the previous set; parsed policies with equal texts are reused.
    """

    def __init__(
        self, rules: CedarRules = NO_RULES, before: "Slices | None" = None
    ) -> None:
        self.rules = rules.rules
        self._index: dict[tuple[str, str], list[int]] = {}
        self._connects: dict[tuple[str, str], int] = {}
        for position, rule in enumerate(self.rules):
            key = (rule.principal, rule.resource)
            self._index.setdefault(key, []).append(position)
            if rule.effect is Effect.ALLOW:
                connects = (rule.principal, server_of(rule.resource))
                self._connects.setdefault(connects, position)
        if any(rule.layer is Layer.CEDAR for rule in self.rules):
            import cedarpy  # noqa: F401 - a tenth of a second, and not in a call

        texts = frozenset(rule.text for rule in self.rules)
        kept = None if before is None else before.handles
        self.handles: Handles = Handles(texts, kept)
        self._lately: dict[Key, Slice] = {}
        self._before: dict[Key, Slice] = {}

    def __bool__(self) -> bool:
        return bool(self.rules)

    def of(self, request: Request) -> "Slice":
        """Return the slice of a request."""
        key = _key(request)
        found = self._lately.get(key)
        if found is not None:
            return found
        found = self._before.get(key) or self._made(request)
        if len(request.name) <= LONGEST:
            if len(self._lately) >= KEPT:
                self._before, self._lately = self._lately, {}
            self._lately[key] = found
        return found

    def keep(self, requests: Iterable[Request]) -> None:
        """Evict all slices except those of the given requests."""
        kept = (_key(each) for each in requests)
        known = self._before | self._lately
        self._before = {key: known[key] for key in kept if key in known}
        self._lately = {}

    def connecting(self, request: Request) -> str:
        """Return the first permit that lets an agent connect to a server, if any."""
        found = [
            self._connects.get((agent, server))
            for agent in (request.agent, "")
            for server in (request.server, "")
        ]
        first = min((each for each in found if each is not None), default=None)
        return "" if first is None else self.rules[first].id

    def _made(self, request: Request) -> "Slice":
        named = resource_of(request)
        found: list[int] = []
        for agent in (request.agent, ""):
            for resource in dict.fromkeys((named.id, f"server:{request.server}", "")):
                found += self._index.get((agent, resource), ())
        takes = [
            position
            for position in sorted(found)
            if self.rules[position].kind in ("", named.type)
            and _takes_action(self.rules[position], request.action)
        ]
        return Slice(self.rules, self.handles, takes, request)


def _key(request: Request) -> Key:
    return (
        request.agent, request.action, request.server, request.target, request.name,
    )  # fmt: skip


class Slice:
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
        rules: tuple[CedarRule, ...],
        handles: Handles,
        takes: list[int],
        request: Request,
    ) -> None:
        self._rules, self._handles = rules, handles
        self._last: tuple[Positions, Positions, Said] | None = None
        checks: list[tuple[int, Compiled]] = []
        fixed: list[tuple[int, Compiled]] = []
        holding: list[int] = []
        asked: list[int] = []
        facts = Facts(request)
        for position in takes:
            rule = rules[position]
            if rule.layer is Layer.CEDAR:
                asked.append(position)
            elif not rule.conditions:
                holding.append(position)
            else:
                compiled = Compiled(_conditions.decode(rule.conditions))
                (checks if compiled.reads_context else fixed).append(
                    (position, compiled)
                )
        more, erring = _checked(fixed, facts)
        self._hazards = Hazards(
            ((each, rules[each].reads, rules[each].prefixes) for each in takes), facts
        )
        self._erring: Positions = erring + self._hazards.fixed
        self._holding: Positions = (*holding, *more)
        self._checks = tuple(checks)
        about = [rules[position] for position in asked]
        self._asked = Asked(tuple(asked), about, facts) if asked else None
        self.said: Said | None = None
        if not (checks or asked):
            self.said = said(rules, self._holding, self._erring)

    def say(self, request: Request) -> Said:
        """Evaluate all policies of the slice."""
        if self.said is not None:
            return self.said
        facts = Facts(request)
        holding, erring = _checked(self._checks, facts)
        holding, erring = self._holding + holding, self._erring + erring
        erring += self._hazards.find(facts)
        if self._asked is not None:
            more, failed = self._asked.ask(facts, self._handles)
            holding, erring = holding + more, erring + failed
        return self._of(holding, erring)

    def say_at_most(self) -> Said:
        """Return the most permissive response to a request with unknown arguments."""
        rules = self._rules
        asked = () if self._asked is None else self._asked.positions
        undecided = (*(position for position, _ in self._checks), *asked)
        hoped = tuple(each for each in undecided if rules[each].effect in _HOPED)
        return said(rules, self._holding + hoped, self._erring)

    def _of(self, holding: Positions, erring: Positions) -> Said:
        """Return the previous response if it is equal."""
        last = self._last
        if last is None or last[0] != holding or last[1] != erring:
            again = said(self._rules, holding, erring)
            self._last = last = (holding, erring, again)
        return last[2]


def said(rules: tuple[CedarRule, ...], holding: Positions, erring: Positions) -> Said:
    """Combine single policy results: error before forbid before ask before permit.

    Args:
        holding: Positions of policies that hold.
        erring: Positions of policies that err.
    """
    if erring:
        return _said(rules, Effect.ERROR, erring)
    for effect in (Effect.DENY, Effect.ASK, Effect.ALLOW):
        found = tuple(each for each in holding if rules[each].effect is effect)
        if found:
            return _said(rules, effect, found)
    return Said(None, (), Layer.TABLE)


def _said(rules: tuple[CedarRule, ...], effect: Effect, found: Positions) -> Said:
    named = [rules[position] for position in sorted(set(found))]
    deepest = max((rule.layer for rule in named), key=_DEPTH.__getitem__)
    return Said(effect, tuple(rule.id for rule in named), deepest)


def _checked(
    checks: Iterable[tuple[int, Compiled]], facts: Facts
) -> tuple[Positions, Positions]:
    holding: Positions = ()
    erring: Positions = ()
    for position, compiled in checks:
        try:
            if compiled.check(facts):
                holding += (position,)
        except Erring:
            erring += (position,)
    return holding, erring


def _takes_action(rule: CedarRule, action: str) -> bool:
    return not rule.actions or action in rule.actions
