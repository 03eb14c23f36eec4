"""Source text of policy statements, quoted next to the answers that cite them."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import takewhile

from answerable.model.documents.core import DeterminingItem, PathItem
from answerable.model.inventory import Inventory
from answerable.model.policy import ConditionClause, Effect, Policy, Statement
from answerable.model.resource import PublicAccessBlock
from answerable.model.sighting import Facts
from answerable.reach.aws.patterns.globs import inward, matches
from answerable.services.reach.compiled_graph import attached_of, policies_at

# A statement may list thousands of resources; the policy has the full text.
_MOST_LISTED = 12
_MOST_TOLD = 3
_LONGEST = 1_000
STATEMENTS = "statements"  # cache key


class _Distance(IntEnum):
    """Distance of a statement from the queried action."""

    SAME_ACTION = 0
    SAME_SERVICE = 1
    UNRELATED = 2


class Written:
    """Index of the policy statements of a snapshot.

    Attributes:
        blocks: Public-access blocks by target.
        at: Ids of policies by layer and target, joined by a line break.
    """

    def __init__(
        self, facts: Facts, at: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.policies = facts.policies_by_id()
        self.blocks = {str(block.target): block for block in facts.public_access}
        self.at = policies_at(facts) if at is None else at


def statements_of(inventory: Inventory) -> Written:
    """Return the cached statement index of a snapshot."""
    return inventory.once(
        STATEMENTS, lambda each: Written(each.facts, attached_of(each))
    )


class Quotes:
    """Quoted statements of a snapshot, by policy and statement id.

    Args:
        written: The statements of a snapshot.
        stated: Stated policies, which are in no snapshot.
    """

    def __init__(self, written: "Written", stated: Iterable[Policy] = ()) -> None:
        self._action = self._resource = ""
        self._stated = {str(p.id): p for p in stated}
        self._policies = written.policies
        self._blocks, self._at = written.blocks, written.at
        self._by_sid: dict[str, Mapping[str, Sequence[str]]] = {}

    def ask(self, action: str, resource: str) -> None:
        """Set the queried call: of many statements, the nearest ones are quoted."""
        self._action, self._resource = action.lower(), resource

    def add(self, found: Sequence[DeterminingItem]) -> None:
        """Add the statement text to each determining item."""
        for item in found:
            text = self.text(item)
            if text:
                item["text"] = text

    def add_along(self, path: Sequence[PathItem]) -> None:
        """Add the statement text to each item on a path."""
        for step in path:
            self.add(step["determining"])

    def text(self, item: DeterminingItem) -> str:
        """Return the statement text; empty if it is not known.

        If several statements of a policy have one id, all of them are quoted.
        """
        if item["layer"] == "public-access":
            return _block(self._blocks.get(item["policy"]))
        if item["effect"] == "implicit-deny":
            return self._silent(item)
        if item["policy"].endswith("#chosen"):
            return "the creator of the identity chooses its permissions"
        policy = self._policy(item["policy"])
        if policy is None:
            return ""
        for unread in policy.unread:
            if unread.sid == item["statement"] and item["effect"].startswith("unread"):
                return f"could not be read: {unread.why}"
        said = self._said(policy).get(f"{item['effect']} {item['statement']}", ())
        return " | ".join(said)[:_LONGEST]

    def _policy(self, name: str) -> Policy | None:
        return self._stated.get(name) or self._policies.get(name)

    def _silent(self, item: DeterminingItem) -> str:
        """Quote the statements of policies that do not allow the call."""
        ids = self._at.get(f"{item['layer']}\n{item['policy']}", [item["policy"]])
        found = [policy for name in ids if (policy := self._policy(name))]
        limits = item["layer"] not in ("identity", "resource", "trust")
        return self._summary(found, limits=limits) if found else ""

    def _summary(self, policies: Sequence[Policy], *, limits: bool) -> str:
        """Quote the statements nearest to the call, of policies that do not allow it.

        Args:
            limits: Whether the policies limit others: then all statements are relevant.
        """
        allows = [
            statement
            for policy in policies
            for statement in policy.statements
            if statement.effect is Effect.ALLOW
        ]
        if not allows:
            return "it allows nothing"
        distances = [self._distance(statement) for statement in allows]
        nearest = min(distances)
        if nearest is _Distance.UNRELATED and not limits:
            said = "statement says" if len(allows) == 1 else "statements say"
            service = self._action.partition(":")[0]
            return f"{len(allows)} {said} nothing of {service}"
        near = [
            statement
            for statement, distance in zip(allows, distances, strict=True)
            if distance is nearest
        ]
        near.sort(key=self._resource_distance)
        said = " | ".join(map(written, near[:_MOST_TOLD]))
        more = len(allows) - len(near[:_MOST_TOLD])
        rest = f" | and {more} more" if more else ""
        return f"none of its statements allows it: {said}{rest}"[:_LONGEST]

    def _distance(self, statement: Statement) -> "_Distance":
        """Return the distance of a statement from the queried action."""
        if not self._action:
            return _Distance.SAME_ACTION
        patterns = [
            inward(pattern.lower())
            for pattern in statement.actions or statement.not_actions
        ]
        named = any(matches(pattern, self._action) for pattern in patterns)
        if named != bool(statement.not_actions):
            return _Distance.SAME_ACTION
        service = self._action.partition(":")[0]
        near = any(matches(pattern.partition(":")[0], service) for pattern in patterns)
        return _Distance.SAME_SERVICE if near or named else _Distance.UNRELATED

    def _resource_distance(self, statement: Statement) -> tuple[bool, int]:
        """Order by resource: matching first, then by longest common prefix."""
        patterns = [inward(pattern) for pattern in statement.resources]
        if not patterns or any(matches(each, self._resource) for each in patterns):
            return False, 0
        return True, -max(_common_length(each, self._resource) for each in patterns)

    def _said(self, policy: Policy) -> Mapping[str, Sequence[str]]:
        known = self._by_sid.get(policy.id)
        if known is None:
            found: dict[str, list[str]] = defaultdict(list)
            for statement in policy.statements:
                key = f"{statement.effect.value} {statement.sid}"
                found[key].append(written(statement))
            known = self._by_sid[policy.id] = found
        return known


def _common_length(one: str, other: str) -> int:
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def written(statement: Statement) -> str:
    """Format a statement as one line of policy language."""
    parts = [statement.effect.value.capitalize()]
    parts += _element("Principal", _principals(statement.principals))
    parts += _element("NotPrincipal", _principals(statement.not_principals))
    parts += _element("Action", statement.actions)
    parts += _element("NotAction", statement.not_actions)
    parts += _element("Resource", statement.resources)
    parts += _element("NotResource", statement.not_resources)
    if statement.conditions:
        parts.append("if " + " and ".join(map(_condition, statement.conditions)))
    return " ".join(parts)


def _principals(pairs: Sequence[tuple[str, str]]) -> list[str]:
    return ["*" if pair == ("AWS", "*") else f"{pair[0]}:{pair[1]}" for pair in pairs]


def _element(name: str, values: Sequence[str]) -> list[str]:
    return [f"{name} {_list(values)}"] if values else []


def _condition(clause: ConditionClause) -> str:
    return f"{clause.operator} {clause.key} = {_list(clause.values)}"


def _list(values: Sequence[str]) -> str:
    shown = [value or "''" for value in values[:_MOST_LISTED]]
    more = len(values) - _MOST_LISTED
    if more > 0:
        shown.append(f"and {more} more")
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _block(block: PublicAccessBlock | None) -> str:
    if block is None:
        return ""
    said = "on" if block.restrict_public_buckets else "off"
    return f"RestrictPublicBuckets is {said}"
