"""Evaluate policies in the Cedar engine, with a cache of parsed policy sets."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from answerable.authorization.cedar.cedar_request import CedarRequest
from answerable.authorization.cedar.lexer import strip_scope
from answerable.model.cedar_policy import CedarPolicy

if TYPE_CHECKING:
    from cedarpy import PolicySet

PolicyTexts = tuple[str, ...]

# Sets of policies that stay parsed: this many that were asked lately, and as many
# before these. One takes 6 KB and more.
CACHED_SETS = 2000
_NAMED = re.compile(r"[^`]*`policy([0-9]+)`.*", re.DOTALL)
NO_ENTITIES = "[]"


class PolicySetCache:
    """Cache of parsed policy sets by their texts, filled on first use.

    Args:
        texts: Every policy of the set.
        before: Cache of the previous set; unchanged texts stay parsed.
    """

    def __init__(
        self,
        texts: frozenset[str] = frozenset(),
        before: "PolicySetCache | None" = None,
    ) -> None:
        self._lately: dict[PolicyTexts, PolicySet] = {}
        self._before: dict[PolicyTexts, PolicySet] = {}
        if before is not None:
            # The calls that go on meanwhile add to it, so copies are searched.
            parsed = before._before.copy() | before._lately.copy()
            kept = [each for each in parsed.items() if texts.issuperset(each[0])]
            self._before = dict(kept[-CACHED_SETS:])

    def get_policy_set(self, texts: PolicyTexts) -> "PolicySet":
        """Return a set of parsed policies, their scopes removed.

        Raises:
            ValueError: Cedar cannot parse them.
        """
        found = self._lately.get(texts)
        if found is None:
            found = self._before.get(texts)
            if found is None:
                from cedarpy import PolicySet

                found = PolicySet.from_str("\n".join(map(strip_scope, texts)))
            if len(self._lately) >= CACHED_SETS:
                self._before, self._lately = self._lately, {}
            self._lately[texts] = found
        return found


class EngineQuery:
    """The policies of one slice that only the Cedar engine can decide.

    Their scopes are stripped, because the slice already matched them.

    Args:
        positions: Indexes in the whole set.
        facts: A request of the slice.
    """

    __slots__ = ("_entities", "_reads", "_texts", "positions")

    def __init__(
        self, positions: tuple[int, ...], rules: list[CedarPolicy], facts: CedarRequest
    ) -> None:
        self.positions = positions
        self._texts = tuple(rule.text for rule in rules)
        self._reads = tuple({path[0] for rule in rules for path in rule.reads})
        self._entities = (
            facts.entities_json()
            if any(map(_may_read_entities, self._texts))
            else NO_ENTITIES
        )

    def evaluate_policies(
        self, request: CedarRequest, handles: PolicySetCache
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the positions of policies that hold, and of those that err.

        If one forbids, the permits that hold are left out. If Cedar reaches no
        decision, every policy errs.
        """
        asked = request.scope_json() | {"context": request.context_json(self._reads)}
        policies = handles.get_policy_set(self._texts)
        return evaluate_in_engine(self.positions, asked, policies, self._entities)


def evaluate_in_engine(
    positions: Sequence[int],
    query: dict[str, object],
    policies: "PolicySet",
    entities: str,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Evaluate policies in Cedar; return positions that hold and positions that err."""
    from cedarpy import Decision, is_authorized

    answer = is_authorized(query, policies, entities)
    if answer.decision is Decision.NoDecision:
        return (), tuple(positions)
    found = answer.diagnostics
    holding = [positions[int(each.removeprefix("policy"))] for each in found.reasons]
    erring = [positions[find_erring_policy(each)] for each in found.errors]
    return tuple(holding), tuple(erring)


def find_erring_policy(error: str) -> int:
    """Return the policy index that a Cedar error names, 0 if it names none."""
    named = _NAMED.fullmatch(error)
    return int(named[1]) if named else 0


def _may_read_entities(text: str) -> bool:
    """Return whether a policy text may read the principal or the resource."""
    conditions = strip_scope(text).partition(")")[2]
    return "resource" in conditions or "principal" in conditions
