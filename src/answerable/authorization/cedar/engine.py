"""Evaluation by the Cedar engine, with a cache of parsed policy sets."""

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

from answerable.authorization.cedar.cedar_request import Facts
from answerable.authorization.cedar.lexer import headless
from answerable.model.cedar_policy import CedarRule

if TYPE_CHECKING:
    from cedarpy import PolicySet

Texts = tuple[str, ...]

# Sets of policies that stay parsed: this many that were asked lately, and as many
# before these. One takes 6 KB and more.
PARSED = 2000
_NAMED = re.compile(r"[^`]*`policy([0-9]+)`.*", re.DOTALL)
NOBODY = "[]"


class Handles:
    """Cache of parsed policy sets by their texts, filled on first use.

    Args:
        texts: Every policy of the set.
        before: Cache of the previous set; unchanged texts stay parsed.
    """

    def __init__(
        self, texts: frozenset[str] = frozenset(), before: "Handles | None" = None
    ) -> None:
        self._lately: dict[Texts, PolicySet] = {}
        self._before: dict[Texts, PolicySet] = {}
        if before is not None:
            # The calls that go on meanwhile add to it, so copies are searched.
            parsed = before._before.copy() | before._lately.copy()
            kept = [each for each in parsed.items() if texts.issuperset(each[0])]
            self._before = dict(kept[-PARSED:])

    def of(self, texts: Texts) -> "PolicySet":
        """Return the parsed policies without their scopes.

        Raises:
            ValueError: Cedar cannot parse them.
        """
        found = self._lately.get(texts)
        if found is None:
            found = self._before.get(texts)
            if found is None:
                from cedarpy import PolicySet

                found = PolicySet.from_str("\n".join(map(headless, texts)))
            if len(self._lately) >= PARSED:
                self._before, self._lately = self._lately, {}
            self._lately[texts] = found
        return found


class Asked:
    """The policies of one slice that only the Cedar engine can decide.

    Their scopes are stripped, because the slice already matched them.

    Args:
        positions: Indexes in the whole set.
        facts: A request of the slice.
    """

    __slots__ = ("_entities", "_reads", "_texts", "positions")

    def __init__(
        self, positions: tuple[int, ...], rules: list[CedarRule], facts: Facts
    ) -> None:
        self.positions = positions
        self._texts = tuple(rule.text for rule in rules)
        self._reads = tuple({path[0] for rule in rules for path in rule.reads})
        self._entities = facts.entities() if any(map(_looks, self._texts)) else NOBODY

    def ask(
        self, facts: Facts, handles: Handles
    ) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """Return the positions of the policies that hold and of those that err.

        If one forbids, the permits that hold are left out. If Cedar reaches no
        decision, every policy errs.
        """
        asked = facts.about() | {"context": facts.in_context(self._reads)}
        policies = handles.of(self._texts)
        return answered(self.positions, asked, policies, self._entities)


def answered(
    positions: Sequence[int],
    asked: dict[str, object],
    policies: "PolicySet",
    entities: str,
) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Evaluate policies in Cedar; return positions that hold and positions that err."""
    from cedarpy import Decision, is_authorized

    answer = is_authorized(asked, policies, entities)
    if answer.decision is Decision.NoDecision:
        return (), tuple(positions)
    found = answer.diagnostics
    holding = [positions[int(each.removeprefix("policy"))] for each in found.reasons]
    erring = [positions[erring_policy(each)] for each in found.errors]
    return tuple(holding), tuple(erring)


def erring_policy(error: str) -> int:
    """Return the policy index that a Cedar error names, 0 if it names none."""
    named = _NAMED.fullmatch(error)
    return int(named[1]) if named else 0


def _looks(text: str) -> bool:
    """Tell whether a policy may read the principal or the resource."""
    conditions = headless(text).partition(")")[2]
    return "resource" in conditions or "principal" in conditions
