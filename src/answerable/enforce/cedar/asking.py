"""Cedar itself, asked about a few policies that it has parsed before."""

import re
from typing import TYPE_CHECKING

from answerable.enforce.cedar.facts import Facts

if TYPE_CHECKING:
    from cedarpy import Entities, PolicySet

Texts = tuple[str, ...]

_NAMED = re.compile(r"[^`]*`policy([0-9]+)`.*", re.DOTALL)


class Handles:
    """Policies that Cedar has parsed, by their texts: at their first use.

    Args:
        texts: Every policy that there is.
        before: What was parsed of the set before; the same texts stay parsed.
    """

    def __init__(
        self, texts: frozenset[str] = frozenset(), before: "Handles | None" = None
    ) -> None:
        self._parsed: dict[Texts, PolicySet] = {}
        if before is not None:
            self._parsed = {
                each: parsed
                for each, parsed in before._parsed.copy().items()
                if texts.issuperset(each)
            }

    def of(self, texts: Texts) -> "PolicySet":
        """Give policies as Cedar has parsed them.

        Raises:
            ValueError: They are no Cedar.
        """
        found = self._parsed.get(texts)
        if found is None:
            from cedarpy import PolicySet

            found = self._parsed[texts] = PolicySet.from_str("\n".join(texts))
        return found


class Asked:
    """The policies of a slice that Cedar is asked about.

    Args:
        positions: Where they stand in the whole set.
        texts: Theirs.
        facts: A request of the slice.
    """

    __slots__ = ("_entities", "_entities_text", "_positions", "_texts")

    def __init__(self, positions: list[int], texts: Texts, facts: Facts) -> None:
        self._positions, self._texts = positions, texts
        self._entities_text = facts.entities()
        self._entities: Entities | None = None

    def ask(self, facts: Facts, handles: Handles) -> tuple[list[int], list[int]]:
        """Say which of them hold, and which have no answer.

        Where one forbids, the permits that hold are not named. Where Cedar does not
        decide at all, none has an answer.
        """
        from cedarpy import Decision, Entities, is_authorized

        if self._entities is None:
            self._entities = Entities.from_json_str(self._entities_text)
        answer = is_authorized(facts.asked(), handles.of(self._texts), self._entities)
        if answer.decision is Decision.NoDecision:
            return [], self._positions
        positions = self._positions
        found = answer.diagnostics
        holding = [
            positions[int(each.removeprefix("policy"))] for each in found.reasons
        ]
        erring = [positions[erring_policy(each)] for each in found.errors]
        return holding, erring


def erring_policy(error: str) -> int:
    """Find which policy an error of Cedar's is about; the first where it says none."""
    named = _NAMED.fullmatch(error)
    return int(named[1]) if named else 0


def whole_set(texts: Texts, facts: Facts) -> tuple[list[int], list[int]]:
    """Ask Cedar about a whole set, parsed for this: slow and plain."""
    return Asked(list(range(len(texts))), texts, facts).ask(facts, Handles())
