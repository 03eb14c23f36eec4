"""Condition blocks, evaluated as far as the request is known.

Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators" and
"Single-valued vs. multivalued context keys".
"""

import ipaddress
from collections.abc import Callable
from datetime import datetime

from answerable.model.policy import ConditionClause
from answerable.reach.context import Known, flat, has_variable, resolve
from answerable.reach.formula import FALSE, TRUE, Formula, atom, both
from answerable.reach.globs import literal, matches
from answerable.reach.resources import matches_parts, pattern_parts, text_parts

Test = Callable[[str, str], bool]


def _equals(wanted: str, got: str) -> bool:
    return wanted == literal(got)


def _equals_folded(wanted: str, got: str) -> bool:
    return wanted.casefold() == literal(got).casefold()


def _like(wanted: str, got: str) -> bool:
    return matches(wanted, literal(got))


def _arn(wanted: str, got: str) -> bool:
    return matches_parts(pattern_parts(wanted), text_parts(got))


def _boolean(wanted: str, got: str) -> bool:
    return wanted.casefold() == got.casefold()


def _address(wanted: str, got: str) -> bool:
    network = ipaddress.ip_network(wanted, strict=False)
    return ipaddress.ip_address(got) in network


def _moment(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is None:
            raise ValueError(text) from None
        return moment.timestamp()


def _ordered(
    read: Callable[[str], float], holds: Callable[[float, float], bool]
) -> Test:
    return lambda wanted, got: holds(read(got), read(wanted))


def _orders(name: str, read: Callable[[str], float]) -> dict[str, tuple[Test, bool]]:
    return {
        f"{name}equals": (_ordered(read, lambda a, b: a == b), False),
        f"{name}notequals": (_ordered(read, lambda a, b: a == b), True),
        f"{name}lessthan": (_ordered(read, lambda a, b: a < b), False),
        f"{name}lessthanequals": (_ordered(read, lambda a, b: a <= b), False),
        f"{name}greaterthan": (_ordered(read, lambda a, b: a > b), False),
        f"{name}greaterthanequals": (_ordered(read, lambda a, b: a >= b), False),
    }


# Operator in lower case -> (test of one wanted against one given value, negated).
_OPERATORS: dict[str, tuple[Test, bool]] = {
    "stringequals": (_equals, False),
    "stringnotequals": (_equals, True),
    "stringequalsignorecase": (_equals_folded, False),
    "stringnotequalsignorecase": (_equals_folded, True),
    "stringlike": (_like, False),
    "stringnotlike": (_like, True),
    "arnequals": (_arn, False),
    "arnlike": (_arn, False),
    "arnnotequals": (_arn, True),
    "arnnotlike": (_arn, True),
    "bool": (_boolean, False),
    "binaryequals": (_equals, False),
    "ipaddress": (_address, False),
    "notipaddress": (_address, True),
    **_orders("numeric", float),
    **_orders("date", _moment),
}
_WILD = ("stringlike", "stringnotlike", "arn")


def evaluate(clauses: tuple[ConditionClause, ...], known: Known) -> Formula:
    """Evaluate a Condition block; what is not known stays an atom."""
    result = TRUE
    for clause in clauses:
        held = clause_holds(clause, known)
        if held is False:
            return FALSE
        if held is None:
            result = both(result, _open(clause))
    return result


def _open(clause: ConditionClause) -> Formula:
    return atom(clause.key, clause.operator, tuple(sorted(set(clause.values))))


def clause_holds(clause: ConditionClause, known: Known) -> bool | None:
    """Tell whether one line holds; None when that is not known."""
    given = known.get(clause.key)
    if given is None:
        return None
    quantifier, base, if_exists = _parsed(clause.operator)
    if base == "null":
        return _null(clause.values, given)
    entry = _OPERATORS.get(base)
    if entry is None:
        return None
    if not given and if_exists:
        return True
    if not given:
        return quantifier == "forallvalues" or (entry[1] and not quantifier)
    wanted = _wanted(clause.values, base, known)
    if wanted is None:
        return None
    try:
        return _quantified(quantifier, entry, wanted, given)
    except ValueError:
        return None  # a number, date or address that is none: it decides nothing


def _quantified(
    quantifier: str,
    entry: tuple[Test, bool],
    wanted: tuple[str, ...],
    given: tuple[str, ...],
) -> bool:
    test, negated = entry
    fits = [any(test(w, g) for w in wanted) != negated for g in given]
    if quantifier == "forallvalues" or (negated and not quantifier):
        return all(fits)
    return any(fits)


def _parsed(operator: str) -> tuple[str, str, bool]:
    quantifier, colon, rest = operator.lower().rpartition(":")
    base = rest.removesuffix("ifexists")
    return (quantifier if colon else ""), base, base != rest


def _null(values: tuple[str, ...], given: tuple[str, ...]) -> bool | None:
    wanted = {value.lower() for value in values}
    if not wanted <= {"true", "false"}:
        return None
    return ("true" if not given else "false") in wanted


def _wanted(values: tuple[str, ...], base: str, known: Known) -> tuple[str, ...] | None:
    wild = base.startswith(_WILD)
    wanted = []
    for value in values:
        if not wild and not has_variable(value):
            wanted.append(value if base.startswith(_PLAIN) else literal(value))
            continue
        resolved = resolve(value, known, wild=wild)
        if resolved.unknown:
            return None
        if not resolved.void:
            keep = base.startswith("arn")
            wanted.append(resolved.pattern if keep else flat(resolved.pattern))
    return tuple(wanted)


_PLAIN = ("numeric", "date", "bool", "ipaddress", "notipaddress")
