"""The policies that are about one agent and one thing, found once and asked then.

A slice is everything that may have a say in one agent's doing one thing: rules without
conditions, which are decided when the slice is made; conditions that are compiled; and
policies that Cedar itself is asked about, parsed at their first use. Slices are made
when they are first asked for, and the ones that were not asked for lately forgotten.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field

import msgspec

from answerable.enforce.cedar.asking import Asked, Handles
from answerable.enforce.cedar.conditions import Compiled, Erring
from answerable.enforce.cedar.facts import Facts, resource_of
from answerable.enforce.cedar.scopes import server_of
from answerable.model.cedar import NO_RULES, CedarRule, CedarRules
from answerable.model.decision import Decision, Effect, Layer, Request
from answerable.model.ids import AgentId

# Slices in memory: this many that were asked for lately, and as many before these.
KEPT = 12_000
LONGEST = 512  # characters of a name whose slice is kept

_DEPTH = {Layer.TABLE: 0, Layer.CONSTRAINT: 1, Layer.CEDAR: 2}
_conditions = msgspec.json.Decoder(list[dict[str, object]])

Key = tuple[AgentId, str, str, str, str]


@dataclass(frozen=True, slots=True)
class Said:
    """What policies say of a request.

    Attributes:
        effect: Error where one has no answer, else deny where one forbids, else ask,
            else allow; None where none has a say.
        rules: Ids of the rules that say so, in their order.
        layer: What it took.
    """

    effect: Effect | None
    rules: tuple[str, ...]
    layer: Layer


SILENT = Said(None, (), Layer.TABLE)


@dataclass(slots=True)
class Findings:
    """Rules that hold for a request, and those that have no answer, by position."""

    holding: list[int] = field(default_factory=list)
    erring: list[int] = field(default_factory=list)


class Slices:
    """Every slice of one set of policies.

    Args:
        rules: The set.
        before: Of the set before; what Cedar has parsed for it is taken over where the
            texts are the same.
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
        """Find the slice of a request."""
        key = (
            request.agent, request.action, request.server, request.target, request.name,
        )  # fmt: skip
        found = self._lately.get(key)
        if found is not None:
            return found
        found = self._before.get(key) or self._made(request)
        if len(request.name) <= LONGEST:
            if len(self._lately) >= KEPT:
                self._before, self._lately = self._lately, {}
            self._lately[key] = found
        return found

    def connecting(self, request: Request) -> str:
        """Name the first permit that lets an agent connect to a server, if there is."""
        found = [
            self._connects.get((agent, server))
            for agent in (request.agent, "")
            for server in (request.server, "")
        ]
        first = min((each for each in found if each is not None), default=None)
        return "" if first is None else self.rules[first].id

    def _made(self, request: Request) -> "Slice":
        (kind, exact), _ = resource_of(request)
        found: list[int] = []
        for agent in (request.agent, ""):
            for resource in dict.fromkeys((exact, f"server:{request.server}", "")):
                found += self._index.get((agent, resource), ())
        takes = [
            position
            for position in sorted(found)
            if self.rules[position].kind in ("", kind)
            and _takes_action(self.rules[position], request.action)
        ]
        return Slice(self, takes, request)


class Slice:
    """What policies there are about one agent's doing one thing.

    Attributes:
        said: What they say whatever else the request holds; None where that matters.
        said_at_most: What they may say to a request that is not known yet: allow or
            ask, where a condition may come to that.
        decided: What was decided where they say the same to every request; kept here
            by whoever decides.
    """

    __slots__ = (
        "_asked", "_checks", "_fixed", "_slices", "decided", "said", "said_at_most",
    )  # fmt: skip

    def __init__(self, slices: Slices, takes: list[int], request: Request) -> None:
        self.decided: Decision | None = None
        self._slices = slices
        self._fixed = Findings()
        self._checks: list[tuple[int, Compiled]] = []
        facts = Facts(request)
        asked: list[int] = []
        for position in takes:
            rule = slices.rules[position]
            if rule.layer is Layer.CEDAR:
                asked.append(position)
            elif not rule.conditions:
                self._fixed.holding.append(position)
            else:
                compiled = Compiled(_conditions.decode(rule.conditions))
                if compiled.reads_context:
                    self._checks.append((position, compiled))
                else:
                    _check(position, compiled, facts, self._fixed)
        texts = tuple(slices.rules[position].text for position in asked)
        self._asked = Asked(asked, texts, facts) if asked else None
        undecided = [position for position, _ in self._checks] + asked
        self.said = None if undecided else said(slices.rules, self._fixed)
        self.said_at_most = said(slices.rules, self._hoped(undecided))

    def say(self, request: Request) -> Said:
        """Ask every policy."""
        if self.said is not None:
            return self.said
        facts = Facts(request)
        found = Findings(self._fixed.holding[:], self._fixed.erring[:])
        for position, compiled in self._checks:
            _check(position, compiled, facts, found)
        if self._asked is not None:
            holding, erring = self._asked.ask(facts, self._slices.handles)
            found.holding += holding
            found.erring += erring
        return said(self._slices.rules, found)

    def _hoped(self, undecided: Iterable[int]) -> Findings:
        rules = self._slices.rules
        hoped = [each for each in undecided if rules[each].effect is not Effect.DENY]
        return Findings(self._fixed.holding + hoped, self._fixed.erring)


def said(rules: tuple[CedarRule, ...], found: Findings) -> Said:
    """Join what single policies say: an error before a forbid, that before the rest."""
    if found.erring:
        return _said(rules, Effect.ERROR, found.erring)
    for effect in (Effect.DENY, Effect.ASK, Effect.ALLOW):
        holding = [each for each in found.holding if rules[each].effect is effect]
        if holding:
            return _said(rules, effect, holding)
    return SILENT


def _said(rules: tuple[CedarRule, ...], effect: Effect, found: list[int]) -> Said:
    named = [rules[position] for position in sorted(set(found))]
    deepest = max((rule.layer for rule in named), key=_DEPTH.__getitem__)
    return Said(effect, tuple(rule.id for rule in named), deepest)


def _check(position: int, compiled: Compiled, facts: Facts, found: Findings) -> None:
    try:
        if compiled.check(facts):
            found.holding.append(position)
    except Erring:
        found.erring.append(position)


def _takes_action(rule: CedarRule, action: str) -> bool:
    return not rule.actions or action in rule.actions
