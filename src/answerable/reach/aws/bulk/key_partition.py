"""Partition principals or resources by the values of their condition keys."""

import re
from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from answerable.model.policy import ConditionClause
from answerable.reach.aws.bulk.bitset import (
    ArnIndex,
    BitsetBounds,
    build_bitset,
    build_range,
)
from answerable.reach.aws.compiled.statements import CompiledStatement
from answerable.reach.aws.evaluation.conditions import evaluate_condition_line
from answerable.reach.aws.evaluation.context_keys import (
    NO_KEYS,
    ContextKeys,
    has_policy_variable,
    unescape_pattern_colons,
)
from answerable.reach.aws.patterns.arn_matching import split_glob_arn
from answerable.reach.aws.patterns.glob_matching import encode_glob, encode_literal

_VARIABLE = re.compile(r"\$\{([^},]*)")
ConditionLines = Sequence[ConditionClause]
KMS_CALLER_ACCOUNT = "kms:calleraccount"  # the caller's account, in calls on KMS alone


def list_condition_keys(
    statement: CompiledStatement, conditions: ConditionLines | None = None
) -> tuple[str, ...]:
    """List the condition keys, in lower case, that a statement depends on.

    Args:
        statement: The statement.
        conditions: The lines of its condition to read; all by default.
    """
    counted = statement.conditions if conditions is None else conditions
    found = {line.key.lower() for line in counted}
    texts = [value for line in counted for value in line.values]
    if not statement.parts:
        texts += statement.resources + statement.not_resources
    for text in texts:
        if has_policy_variable(text):
            found.update(key.strip().lower() for key in _VARIABLE.findall(text))
    if KMS_CALLER_ACCOUNT in found:
        found.add("aws:principalaccount")
    return tuple(sorted(found))


def list_open_statement_conditions(statement: CompiledStatement) -> set[object]:
    """Return a statement's conditions and policy variables that may stay open.

    An open allow and an open deny can only cancel each other where they share one.
    """
    found: set[object] = {
        (line.key, line.operator, tuple(sorted(set(line.values))))
        for line in statement.conditions
    }
    if not statement.parts:
        texts = statement.resources + statement.not_resources
        found.update(text for text in texts if has_policy_variable(text))
    return found


class PartitionCell(NamedTuple):
    """Members with equal values of some condition keys, and these values."""

    members: int
    known: ContextKeys


_CellsByValue = dict[str | None, list[PartitionCell]]


class KeyPartition:
    """Partition of a list of principals or resources by values of condition keys.

    Attributes:
        size: Number of members.
        spoken: Keys for which some member has a known value.
        complete: Key prefixes known for some member, if only as absent.
        nameless: Members with names whose `aws:PrincipalArn` is not known.
    """

    def _reset_to_single_cell(self, size: int) -> None:
        """Initialise an empty partition of a number of members."""
        self.size = size
        self.spoken: frozenset[str] = frozenset()
        self.complete: tuple[str, ...] = ()
        self.nameless = 0
        self._names: ArnIndex | None = None
        self._alike: list[tuple[ContextKeys, list[int]]] = []
        self._found: dict[tuple[str, ...], list[PartitionCell]] = {}
        self._valued: dict[tuple[tuple[str, ...], str], _CellsByValue] = {}
        self._lines: dict[ConditionClause, BitsetBounds] = {}

    def __init__(
        self, known_keys: Sequence[ContextKeys], principal_arns: ArnIndex | None = None
    ) -> None:
        """Group members that share one set of known keys.

        Args:
            known_keys: Known keys of each member.
            principal_arns: Index of the members' `aws:PrincipalArn`, if they have one.
        """
        self._reset_to_single_cell(len(known_keys))
        self._names = principal_arns
        alike: dict[int, list[int]] = {}
        for number, known in enumerate(known_keys):
            alike.setdefault(id(known), []).append(number)
        self._alike = [(known_keys[members[0]], members) for members in alike.values()]
        each = [known for known, _ in self._alike]
        self.spoken = frozenset(key for known in each for key in known.values)
        self.complete = tuple({p for known in each for p in known.complete})
        nameless = (
            n
            for n, k in enumerate(known_keys)
            if not k.get_key_values("aws:principalarn")
        )
        self.nameless = build_bitset(nameless, len(known_keys)) if principal_arns else 0

    def map_members_by_complete_key_prefix(self) -> dict[str, int]:
        """Map key prefix to the principals whose keys of it are all known."""
        found: dict[str, list[int]] = defaultdict(list)
        for known, members in self._alike:
            for prefix in set(known.complete):
                found[prefix] += members
        return {p: build_bitset(sorted(ns), self.size) for p, ns in found.items()}

    def _get_member_arn_index(self) -> ArnIndex | None:
        """Return the index of the members' ARNs, None if they have none."""
        return self._names

    def knows_condition_key(self, key: str) -> bool:
        """Return whether a key in lower case is known for any member."""
        return key in self.spoken or key.startswith(self.complete)

    def split_members_by_condition_keys(
        self, keys: Iterable[str]
    ) -> list[PartitionCell]:
        """Split the members into cells with equal values of some condition keys."""
        mine = tuple(key for key in keys if self.knows_condition_key(key))
        found = self._found.get(mine)
        if found is None:
            found = self._found[mine] = self._split_members_into_cells(mine)
        return found

    def split_members_matching_value(
        self, keys: tuple[str, ...], key: str, value: str
    ) -> list[PartitionCell]:
        """Split by keys, without cells where `key` has one other value."""
        by_value = self._valued.get((keys, key))
        if by_value is None:
            by_value = self._valued[keys, key] = defaultdict(list)
            for cell in self.split_members_by_condition_keys(keys):
                values = cell.known.get_key_values(key)
                single = (
                    _normalise_condition_value(values[0])
                    if values and len(values) == 1
                    else None
                )
                by_value[single].append(cell)
        return by_value.get(_normalise_condition_value(value), []) + by_value.get(
            None, []
        )

    def find_members_where(self, condition: ConditionClause) -> BitsetBounds:
        """Return the members for which one condition line holds."""
        found = self._lines.get(condition)
        if found is None:
            found = self._match_principal_arn_condition(condition)
            if found is None:
                found = BitsetBounds(0, 0)
                for cell in self.split_members_by_condition_keys(
                    (condition.key.lower(),)
                ):
                    held = evaluate_condition_line(condition, cell.known)
                    sure = cell.members if held else 0
                    found |= BitsetBounds(sure, 0 if held is False else cell.members)
            self._lines[condition] = found
        return found

    def _match_principal_arn_condition(
        self, condition: ConditionClause
    ) -> BitsetBounds | None:
        """Match a condition on `aws:PrincipalArn` against all ARNs at once."""
        names, operator = self._get_member_arn_index(), condition.operator.lower()
        base = operator.removeprefix("arn").removesuffix("ifexists").replace("not", "")
        if (
            names is None
            or condition.key.lower() != "aws:principalarn"
            or base not in ("equals", "like")
            or operator == base
            or any(value.count(":") < 5 for value in condition.values)
        ):
            return None
        hit = 0
        for value in condition.values:
            hit |= names.find_matching_arns(split_glob_arn(encode_glob(value)))
        open_ = self.nameless
        everything = build_range(0, self.size)
        sure = (everything & ~hit if "not" in operator else hit) & ~open_
        return BitsetBounds(sure, sure | open_)

    def _split_members_into_cells(self, keys: tuple[str, ...]) -> list[PartitionCell]:
        """Group the principals that share values for these condition keys."""
        size = self.size
        if not keys:
            return [PartitionCell(build_range(0, size), NO_KEYS)]
        parted: dict[tuple[object, ...], tuple[ContextKeys, list[int]]] = {}
        for known, alike in self._alike:
            values = tuple([known.get_key_values(key) for key in keys])
            parted.setdefault(values, (known, []))[1].extend(alike)
        return [
            PartitionCell(build_bitset(ns, size), known)
            for known, ns in parted.values()
        ]


def _normalise_condition_value(value: str) -> str:
    """Normalise a value, so that values that compare as equal are equal."""
    return unescape_pattern_colons(encode_literal(value))
