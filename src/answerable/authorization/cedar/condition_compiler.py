"""Compile simple Cedar conditions from their JSON form into Python closures.

A simple condition reads `context`, `resource.name` and literals with comparisons,
`like`, `has`, set membership and boolean operators. The semantics are Cedar's: a
missing member or a wrong type is an error, `&&` and `||` short-circuit, and only true
is true. The Cedar engine evaluates everything else.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from answerable.authorization.cedar.cedar_request import CedarRequest, EntityUid
from answerable.authorization.cedar.validation_schema import (
    AttributePath,
    attribute_path,
)
from answerable.model.text_pattern import matches_parts_between_wildcards

ValueReader = Callable[[CedarRequest], object]
Predicate = Callable[[CedarRequest], bool]


class EvaluationFailure(Exception):  # noqa: N818 - Cedar's own word: the policy errs
    """Cedar evaluation error: a condition cannot be evaluated for this request."""


class NotCompilable(ValueError):  # noqa: N818 - nothing is wrong with it
    """A condition that only the Cedar engine can evaluate."""


class CompiledConditions:
    """Conditions of one policy, compiled into one predicate.

    Attributes:
        check: The predicate; raises Erring on an evaluation error.
        reads_context: Whether the result depends on more than principal and resource.
    """

    __slots__ = ("check", "reads_context")

    def __init__(self, conditions: list[dict[str, Any]]) -> None:
        self.reads_context = False
        parts: list[Predicate] = []
        for each in conditions:
            body = self._compile_boolean_expression(each["body"])
            parts.append(body if each["kind"] == "when" else _build_negation(body))
        self.check: Predicate = _build_conjunction(parts)

    def _compile_value_expression(self, node: Mapping[str, Any]) -> ValueReader:
        """Compile a Cedar expression to a function that returns its value."""
        ((word, given),) = node.items()
        if word == "Value":
            constant = _parse_literal(given)
            return lambda _: constant
        path = attribute_path(node)
        if path:
            self.reads_context |= path[0] == "context"
            return _attribute_path_reader(path)
        if word == ".":
            return _attribute_reader(
                self._compile_value_expression(given["left"]), given["attr"]
            )
        return self._compile_boolean_expression(node)

    def _compile_boolean_expression(self, node: Mapping[str, Any]) -> Predicate:
        """Compile a boolean Cedar expression to a predicate on requests."""
        ((word, given),) = node.items()
        match word:
            case "&&":
                return _build_conjunction(
                    [
                        self._compile_boolean_expression(given["left"]),
                        self._compile_boolean_expression(given["right"]),
                    ]
                )
            case "||":
                return _build_disjunction(
                    self._compile_boolean_expression(given["left"]),
                    self._compile_boolean_expression(given["right"]),
                )
            case "!":
                return _build_negation(self._compile_boolean_expression(given["arg"]))
            case "==" | "!=":
                return self._compile_equality(given, expected=word == "==")
            case "<" | "<=" | ">" | ">=":
                return _build_comparison(
                    word,
                    self._compile_value_expression(given["left"]),
                    self._compile_value_expression(given["right"]),
                )
            case "like":
                return _like_predicate(
                    self._compile_value_expression(given["left"]), given["pattern"]
                )
            case "has":
                return _has_predicate(
                    self._compile_value_expression(given["left"]), given["attr"]
                )
            case "contains":
                return self._compile_contains(given["left"], given["right"])
            case "Value" | "Var" | ".":
                return _boolean_predicate(self._compile_value_expression(node))
            case _:
                raise NotCompilable(word)

    def _compile_equality(
        self, operands: Mapping[str, Any], *, expected: bool
    ) -> Predicate:
        """Compile `==` or `!=` where one side is a literal."""
        left, right = operands["left"], operands["right"]
        if "Value" not in left and "Value" not in right:
            raise NotCompilable("two values that are unknown at compile time")
        one, other = (
            self._compile_value_expression(left),
            self._compile_value_expression(right),
        )
        return lambda facts: equals_in_cedar(one(facts), other(facts)) is expected

    def _compile_contains(
        self, left: Mapping[str, Any], right: Mapping[str, Any]
    ) -> Predicate:
        """Compile `contains` where the set or the item is literal."""
        if "Set" in left:
            if not all("Value" in each for each in left["Set"]):
                raise NotCompilable("a set with items that are unknown at compile time")
            items = frozenset(
                _pair_with_type(_parse_literal(each["Value"])) for each in left["Set"]
            )
            item = self._compile_value_expression(right)
            return lambda facts: _is_member(item(facts), items)
        if "Value" not in right:
            raise NotCompilable("an item that is unknown at compile time")
        wanted, held = (
            _parse_literal(right["Value"]),
            self._compile_value_expression(left),
        )
        return lambda facts: any(
            equals_in_cedar(each, wanted) for each in _require_set(held(facts))
        )


def compile_conditions(conditions: list[dict[str, Any]]) -> CompiledConditions | None:
    """Compile conditions; None if they are not simple."""
    try:
        return CompiledConditions(conditions)
    except (NotCompilable, RecursionError):
        return None


def equals_in_cedar(one: object, other: object) -> bool:
    """Compare a value with a literal as Cedar does: types must match."""
    return type(one) is type(other) and one == other


def _parse_literal(literal: object) -> object:
    """Convert a literal from Cedar's JSON form: string, number, boolean or entity."""
    if isinstance(literal, str | int):
        return literal
    if isinstance(literal, dict) and isinstance(uid := literal.get("__entity"), dict):
        return EntityUid(uid["type"], uid["id"])
    raise NotCompilable("a literal of another type")


def _pair_with_type(value: object) -> tuple[type, object]:
    """Pair a value with its type, since in Python true equals 1."""
    return type(value), value


def _is_member(item: object, items: frozenset[tuple[type, object]]) -> bool:
    """Return whether a set contains a value of the same type."""
    return not isinstance(item, dict | list) and _pair_with_type(item) in items


def _require_set(value: object) -> list[object]:
    """Return a set value; another type is an evaluation error, as in Cedar."""
    if not isinstance(value, list):
        raise EvaluationFailure
    return value


def _boolean_predicate(read_value: ValueReader) -> Predicate:
    """Build a predicate from a value that must be a boolean."""

    def check(facts: CedarRequest) -> bool:
        value = read_value(facts)
        if not isinstance(value, bool):
            raise EvaluationFailure
        return value

    return check


def _build_negation(check: Predicate) -> Predicate:
    """Build the negation of a predicate."""
    return lambda facts: not check(facts)


def _build_conjunction(checks: list[Predicate]) -> Predicate:
    """Build a predicate that holds if all predicates hold."""
    if len(checks) == 1:
        return checks[0]
    return lambda facts: all(check(facts) for check in checks)


def _build_disjunction(left: Predicate, right: Predicate) -> Predicate:
    """Build a predicate that holds if one of two predicates holds."""
    return lambda facts: left(facts) or right(facts)


_VARIABLES: Mapping[str, ValueReader] = {
    name: attrgetter(name) for name in ("principal", "action", "resource", "context")
}


@lru_cache(2048)
def _attribute_path_reader(path: AttributePath) -> ValueReader:
    """Return a cached function that reads an attribute path from a request."""
    *above, name = path
    return (
        _attribute_reader(_attribute_path_reader(tuple(above)), name)
        if above
        else _VARIABLES[name]
    )


def _attribute_reader(read_value: ValueReader, name: str) -> ValueReader:
    """Build a function that reads an attribute; a missing one is an error."""

    def member(facts: CedarRequest) -> object:
        value = read_value(facts)
        if isinstance(value, dict) and name in value:
            return value[name]
        if name == "name" and value == facts.resource and isinstance(value, EntityUid):
            return facts.name
        raise EvaluationFailure

    return member


def _has_predicate(read_value: ValueReader, name: str) -> Predicate:
    """Build a predicate that tells whether an attribute is present (`has`)."""

    def has(facts: CedarRequest) -> bool:
        value = read_value(facts)
        if isinstance(value, dict):
            return name in value
        if isinstance(value, EntityUid):
            return name == "name" and value == facts.resource
        raise EvaluationFailure

    return has


_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}


def _build_comparison(
    operator: str, read_left: ValueReader, read_right: ValueReader
) -> Predicate:
    """Build a predicate for `<` and the like; both sides must be numbers."""
    holds = _ORDERS[operator]

    def ordered(facts: CedarRequest) -> bool:
        left, right = read_left(facts), read_right(facts)
        # To Python, true is a number.
        if type(left) is not int or type(right) is not int:
            raise EvaluationFailure
        return holds(left, right)

    return ordered


def _like_predicate(read_value: ValueReader, pattern: list[Any]) -> Predicate:
    """Build a predicate that matches a string against a `like` pattern."""
    parts = [""]
    for each in pattern:
        if each == "Wildcard":
            parts.append("")
        else:
            parts[-1] += each["Literal"]

    def like(facts: CedarRequest) -> bool:
        text = read_value(facts)
        if not isinstance(text, str):
            raise EvaluationFailure
        return matches_parts_between_wildcards(text, parts)

    return like
