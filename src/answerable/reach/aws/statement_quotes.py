"""Quote the text of the policy statements that an answer cites."""

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from enum import IntEnum
from itertools import takewhile

from answerable.model.documents.shared_shapes import DeterminingStatementItem, PathItem
from answerable.model.inventory import Inventory
from answerable.model.policy import ConditionClause, Policy, PolicyEffect, Statement
from answerable.model.resource import PublicAccessBlock
from answerable.model.sighting import SightedFacts
from answerable.reach.aws.compiled_graph import (
    index_policy_attachments,
    load_policy_attachments,
)
from answerable.reach.aws.patterns.glob_matching import encode_glob, matches_glob

# A statement may list thousands of resources; the policy has the full text.
_MOST_LISTED = 12
_MOST_TOLD = 3
_MAX_TEXT_LENGTH = 1_000
STATEMENTS_KEY = "statements"  # cache key


class _StatementDistance(IntEnum):
    """Distance of a statement from the queried action."""

    SAME_ACTION = 0
    SAME_SERVICE = 1
    UNRELATED = 2


class StatementTextIndex:
    """Index of the policy statements of a snapshot.

    Attributes:
        blocks: Public-access blocks by target.
        at: Ids of policies by layer and target, joined by a line break.
    """

    def __init__(
        self, facts: SightedFacts, at: Mapping[str, Sequence[str]] | None = None
    ) -> None:
        self.policies = facts.policies_by_id()
        self.blocks = {str(block.target): block for block in facts.public_access}
        self.at = index_policy_attachments(facts) if at is None else at


def get_policy_statement_index(inventory: Inventory) -> StatementTextIndex:
    """Return the cached statement index of a snapshot."""
    return inventory.get_or_compute_value(
        STATEMENTS_KEY,
        lambda each: StatementTextIndex(each.facts, load_policy_attachments(each)),
    )


class StatementQuotes:
    """Quoted statements of a snapshot, by policy and statement id.

    Args:
        index: The statements of a snapshot.
        stated: Stated policies, which are in no snapshot.
    """

    def __init__(
        self, index: "StatementTextIndex", stated: Iterable[Policy] = ()
    ) -> None:
        self._action = self._resource = ""
        self._stated = {str(p.id): p for p in stated}
        self._policies = index.policies
        self._blocks, self._at = index.blocks, index.at
        self._by_sid: dict[str, Mapping[str, Sequence[str]]] = {}

    def set_queried_call(self, action: str, resource: str) -> None:
        """Set the queried call: of many statements, the nearest ones are quoted."""
        self._action, self._resource = action.lower(), resource

    def add_quotes_to_items(self, items: Sequence[DeterminingStatementItem]) -> None:
        """Add the text of the cited policy statement to each item."""
        for item in items:
            text = self.quote_statement_cited_by_item(item)
            if text:
                item["text"] = text

    def add_quotes_to_path_items(self, path: Sequence[PathItem]) -> None:
        """Add the text of the cited policy statement to each item of a path."""
        for step in path:
            self.add_quotes_to_items(step["determining"])

    def quote_statement_cited_by_item(self, item: DeterminingStatementItem) -> str:
        """Return the text of the policy statement that an item cites; empty if unknown.

        If several statements of a policy have one id, all of them are quoted.
        """
        if item["layer"] == "public-access":
            return _format_public_access_block(self._blocks.get(item["policy"]))
        if item["effect"] == "implicit-deny":
            return self._quote_statements_that_do_not_allow(item)
        if item["policy"].endswith("#chosen"):
            return "the creator of the identity chooses its permissions"
        policy = self._find_policy_by_id(item["policy"])
        if policy is None:
            return ""
        for unread in policy.unread:
            if unread.sid == item["statement"] and item["effect"].startswith("unread"):
                return f"could not be read: {unread.why}"
        said = self._index_statements_by_sid(policy).get(
            f"{item['effect']} {item['statement']}", ()
        )
        return " | ".join(said)[:_MAX_TEXT_LENGTH]

    def _find_policy_by_id(self, name: str) -> Policy | None:
        """Find a policy by id, stated ones first."""
        return self._stated.get(name) or self._policies.get(name)

    def _quote_statements_that_do_not_allow(
        self, item: DeterminingStatementItem
    ) -> str:
        """Quote the statements of policies that do not allow the call."""
        ids = self._at.get(f"{item['layer']}\n{item['policy']}", [item["policy"]])
        found = [policy for name in ids if (policy := self._find_policy_by_id(name))]
        limits = item["layer"] not in ("identity", "resource", "trust")
        return (
            self._quote_statements_nearest_to_call(found, limits=limits)
            if found
            else ""
        )

    def _quote_statements_nearest_to_call(
        self, policies: Sequence[Policy], *, limits: bool
    ) -> str:
        """Quote the statements nearest to the call, of policies that do not allow it.

        Args:
            limits: Whether the policies limit others: then all statements are relevant.
        """
        allows = [
            statement
            for policy in policies
            for statement in policy.statements
            if statement.effect is PolicyEffect.ALLOW
        ]
        if not allows:
            return "it allows nothing"
        distances = [self._measure_action_distance(statement) for statement in allows]
        nearest = min(distances)
        if nearest is _StatementDistance.UNRELATED and not limits:
            said = "statement names" if len(allows) == 1 else "statements name"
            service = self._action.partition(":")[0]
            return f"{len(allows)} {said} no action of {service}"
        near = [
            statement
            for statement, distance in zip(allows, distances, strict=True)
            if distance is nearest
        ]
        near.sort(key=self._measure_resource_distance)
        said = " | ".join(map(format_statement, near[:_MOST_TOLD]))
        more = len(allows) - len(near[:_MOST_TOLD])
        rest = f" | and {more} more" if more else ""
        return f"none of its statements allows it: {said}{rest}"[:_MAX_TEXT_LENGTH]

    def _measure_action_distance(self, statement: Statement) -> "_StatementDistance":
        """Return whether a statement is on the action, its service or another."""
        if not self._action:
            return _StatementDistance.SAME_ACTION
        patterns = [
            encode_glob(pattern.lower())
            for pattern in statement.actions or statement.not_actions
        ]
        named = any(matches_glob(pattern, self._action) for pattern in patterns)
        if named != bool(statement.not_actions):
            return _StatementDistance.SAME_ACTION
        service = self._action.partition(":")[0]
        near = any(
            matches_glob(pattern.partition(":")[0], service) for pattern in patterns
        )
        return (
            _StatementDistance.SAME_SERVICE
            if near or named
            else _StatementDistance.UNRELATED
        )

    def _measure_resource_distance(self, statement: Statement) -> tuple[bool, int]:
        """Measure how far a statement's resource is from the queried one."""
        patterns = [encode_glob(pattern) for pattern in statement.resources]
        if not patterns or any(matches_glob(each, self._resource) for each in patterns):
            return False, 0
        return True, -max(
            _common_prefix_length(each, self._resource) for each in patterns
        )

    def _index_statements_by_sid(self, policy: Policy) -> Mapping[str, Sequence[str]]:
        """Index the formatted statements of a policy by effect and sid."""
        known = self._by_sid.get(policy.id)
        if known is None:
            found: dict[str, list[str]] = defaultdict(list)
            for statement in policy.statements:
                key = f"{statement.effect.value} {statement.sid}"
                found[key].append(format_statement(statement))
            known = self._by_sid[policy.id] = found
        return known


def _common_prefix_length(one: str, other: str) -> int:
    """Return the length of the common prefix of two texts."""
    pairs = zip(one, other, strict=False)
    return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def format_statement(statement: Statement) -> str:
    """Format a statement as one line of policy language."""
    parts = [statement.effect.value.capitalize()]
    parts += _format_statement_element(
        "Principal", _format_principal_element(statement.principals)
    )
    parts += _format_statement_element(
        "NotPrincipal", _format_principal_element(statement.not_principals)
    )
    parts += _format_statement_element("Action", statement.actions)
    parts += _format_statement_element("NotAction", statement.not_actions)
    parts += _format_statement_element("Resource", statement.resources)
    parts += _format_statement_element("NotResource", statement.not_resources)
    if statement.conditions:
        parts.append(
            "if " + " and ".join(map(_format_condition_line, statement.conditions))
        )
    return " ".join(parts)


def _format_principal_element(pairs: Sequence[tuple[str, str]]) -> list[str]:
    """Format principals as `TYPE:VALUE`, `*` for everyone."""
    return ["*" if pair == ("AWS", "*") else f"{pair[0]}:{pair[1]}" for pair in pairs]


def _format_statement_element(name: str, values: Sequence[str]) -> list[str]:
    """Format an element of a statement, such as Action or Resource."""
    return [f"{name} {_format_shortened_list(values)}"] if values else []


def _format_condition_line(clause: ConditionClause) -> str:
    """Format one condition of a statement as `OPERATOR KEY = VALUES`."""
    return f"{clause.operator} {clause.key} = {_format_shortened_list(clause.values)}"


def _format_shortened_list(values: Sequence[str]) -> str:
    """Format values as a list, cut after the first few."""
    shown = [value or "''" for value in values[:_MOST_LISTED]]
    more = len(values) - _MOST_LISTED
    if more > 0:
        shown.append(f"and {more} more")
    return shown[0] if len(shown) == 1 else f"[{', '.join(shown)}]"


def _format_public_access_block(block: PublicAccessBlock | None) -> str:
    """Format the RestrictPublicBuckets setting of S3 Block Public Access."""
    if block is None:
        return ""
    said = "on" if block.restrict_public_buckets else "off"
    return f"RestrictPublicBuckets is {said}"
