"""Compiler of simple Cedar conditions from their JSON form to Python closures.

A simple condition reads `context`, `resource.name` and literals with comparisons,
`like`, `has`, set membership and boolean operators. The semantics are Cedar's: a
missing member or a wrong type is an error, `&&` and `||` short-circuit, and only true
is true. The Cedar engine evaluates everything else.
"""

from collections.abc import Callable, Mapping
from functools import lru_cache
from operator import attrgetter
from typing import Any

from answerable.authorization.cedar.cedar_request import Facts, Uid
from answerable.authorization.cedar.schema import Path, path_of
from answerable.model.text_pattern import matches_parts

Read = Callable[[Facts], object]
Check = Callable[[Facts], bool]


class Erring(Exception):  # noqa: N818 - Cedar's own word: the policy errs
    """Cedar evaluation error: a condition cannot be evaluated for this request."""


class NotSimple(ValueError):  # noqa: N818 - nothing is wrong with it
    """A condition that only the Cedar engine can evaluate."""


class Compiled:
    """Conditions of one policy, compiled into one predicate.

    Attributes:
        check: The predicate; raises Erring on an evaluation error.
        reads_context: Whether the result depends on more than principal and resource.
    """

    __slots__ = ("check", "reads_context")

    def __init__(self, conditions: list[dict[str, Any]]) -> None:
        self.reads_context = False
        parts: list[Check] = []
        for each in conditions:
            body = self._flag(each["body"])
            parts.append(body if each["kind"] == "when" else _not(body))
        self.check: Check = _all(parts)

    def _read(self, node: Mapping[str, Any]) -> Read:
        ((word, given),) = node.items()
        if word == "Value":
            constant = _literal(given)
            return lambda _: constant
        path = path_of(node)
        if path:
            self.reads_context |= path[0] == "context"
            return _at(path)
        if word == ".":
            return _member(self._read(given["left"]), given["attr"])
        return self._flag(node)

    def _flag(self, node: Mapping[str, Any]) -> Check:
        """Compile a boolean expression."""
        ((word, given),) = node.items()
        match word:
            case "&&":
                return _all([self._flag(given["left"]), self._flag(given["right"])])
            case "||":
                return _any(self._flag(given["left"]), self._flag(given["right"]))
            case "!":
                return _not(self._flag(given["arg"]))
            case "==" | "!=":
                return self._equal(given, wanted=word == "==")
            case "<" | "<=" | ">" | ">=":
                return _ordered(
                    word, self._read(given["left"]), self._read(given["right"])
                )
            case "like":
                return _like(self._read(given["left"]), given["pattern"])
            case "has":
                return _has(self._read(given["left"]), given["attr"])
            case "contains":
                return self._contains(given["left"], given["right"])
            case "Value" | "Var" | ".":
                return _true(self._read(node))
            case _:
                raise NotSimple(word)

    def _equal(self, given: Mapping[str, Any], *, wanted: bool) -> Check:
        left, right = given["left"], given["right"]
        if "Value" not in left and "Value" not in right:
            raise NotSimple("two values that are not known before")
        one, other = self._read(left), self._read(right)
        return lambda facts: same(one(facts), other(facts)) is wanted

    def _contains(self, left: Mapping[str, Any], right: Mapping[str, Any]) -> Check:
        if "Set" in left:
            if not all("Value" in each for each in left["Set"]):
                raise NotSimple("a set of what is not known before")
            items = frozenset(_kinded(_literal(each["Value"])) for each in left["Set"])
            item = self._read(right)
            return lambda facts: _in(item(facts), items)
        if "Value" not in right:
            raise NotSimple("an item that is not known before")
        wanted, held = _literal(right["Value"]), self._read(left)
        return lambda facts: any(same(each, wanted) for each in _set(held(facts)))


def compile_conditions(conditions: list[dict[str, Any]]) -> Compiled | None:
    """Compile conditions; None if they are not simple."""
    try:
        return Compiled(conditions)
    except (NotSimple, RecursionError):
        return None


def same(one: object, other: object) -> bool:
    """Compare a value with a literal as Cedar does: types must match."""
    return type(one) is type(other) and one == other


def _literal(given: object) -> object:
    if isinstance(given, str | int):
        return given
    if isinstance(given, dict) and isinstance(uid := given.get("__entity"), dict):
        return Uid(uid["type"], uid["id"])
    raise NotSimple("a literal of another kind")


def _kinded(value: object) -> tuple[type, object]:
    return type(value), value


def _in(item: object, items: frozenset[tuple[type, object]]) -> bool:
    return not isinstance(item, dict | list) and _kinded(item) in items


def _set(value: object) -> list[object]:
    if not isinstance(value, list):
        raise Erring
    return value


def _true(read: Read) -> Check:
    def check(facts: Facts) -> bool:
        value = read(facts)
        if not isinstance(value, bool):
            raise Erring
        return value

    return check


def _not(check: Check) -> Check:
    return lambda facts: not check(facts)


def _all(checks: list[Check]) -> Check:
    if len(checks) == 1:
        return checks[0]
    return lambda facts: all(check(facts) for check in checks)


def _any(one: Check, other: Check) -> Check:
    return lambda facts: one(facts) or other(facts)


_VARIABLES: Mapping[str, Read] = {
    name: attrgetter(name) for name in ("principal", "action", "resource", "context")
}


@lru_cache(2048)
def _at(path: Path) -> Read:
    """Return the cached reader of an attribute path."""
    *above, name = path
    return _member(_at(tuple(above)), name) if above else _VARIABLES[name]


def _member(read: Read, name: str) -> Read:
    def member(facts: Facts) -> object:
        value = read(facts)
        if isinstance(value, dict) and name in value:
            return value[name]
        if name == "name" and value == facts.resource and isinstance(value, Uid):
            return facts.name
        raise Erring

    return member


def _has(read: Read, name: str) -> Check:
    def has(facts: Facts) -> bool:
        value = read(facts)
        if isinstance(value, dict):
            return name in value
        if isinstance(value, Uid):
            return name == "name" and value == facts.resource
        raise Erring

    return has


_ORDERS: Mapping[str, Callable[[int, int], bool]] = {
    "<": int.__lt__,
    "<=": int.__le__,
    ">": int.__gt__,
    ">=": int.__ge__,
}


def _ordered(word: str, one: Read, other: Read) -> Check:
    holds = _ORDERS[word]

    def ordered(facts: Facts) -> bool:
        left, right = one(facts), other(facts)
        # To Python, true is a number.
        if type(left) is not int or type(right) is not int:
            raise Erring
        return holds(left, right)

    return ordered


def _like(read: Read, pattern: list[Any]) -> Check:
    parts = [""]
    for each in pattern:
        if each == "Wildcard":
            parts.append("")
        else:
            parts[-1] += each["Literal"]

    def like(facts: Facts) -> bool:
        text = read(facts)
        if not isinstance(text, str):
            raise Erring
        return matches_parts(text, parts)

    return like
