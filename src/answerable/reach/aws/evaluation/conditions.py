"""Partial evaluation of Condition blocks with the known keys of a request.

A line whose behaviour AWS does not document stays open as written.

Source: AWS IAM User Guide, "IAM JSON policy elements: Condition operators",
"Single-valued vs. multivalued context keys" and "IAM policy elements: Variables and
tags".
"""

import base64
import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from answerable.model.policy import ConditionClause
from answerable.reach.aws.evaluation.context_keys import (
    NOTHING,
    Known,
    flat,
    has_variable,
    resolve,
)
from answerable.reach.aws.patterns.arns import (
    EVERYTHING,
    matches_parts,
    pattern_parts,
    text_parts,
)
from answerable.reach.aws.patterns.globs import literal, matches
from answerable.reach.formula import FALSE, TRUE, Atom, Formula

# Compares a policy's and a request's value; ValueError if either has the wrong type.
Test = Callable[[str, str], bool]
# Values of a policy; None for a value with an unknown variable.
Wanted = tuple[str | None, ...]


def _equals(wanted: str, got: str) -> bool:
    return wanted == literal(got)


def _equals_folded(wanted: str, got: str) -> bool:
    return wanted.casefold() == literal(got).casefold()


def _like(wanted: str, got: str) -> bool:
    return matches(wanted, literal(got))


def _arn(wanted: str, got: str) -> bool:
    parts = pattern_parts(wanted)
    if wanted.count(":") < 5 and parts != EVERYTHING:
        raise ValueError(wanted)  # only Resource completes an incomplete ARN
    return matches_parts(parts, text_parts(got))


_TRUTH = {"true": True, "false": False}


def _boolean(wanted: str, got: str) -> bool:
    if {wanted.lower(), got.lower()} <= _TRUTH.keys():
        return wanted.lower() == got.lower()
    raise ValueError(wanted)


def _binary(wanted: str, got: str) -> bool:
    return _bytes(wanted) == _bytes(got)


def _bytes(text: str) -> bytes:
    return base64.b64decode(text, validate=True)


_CIDR = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")


def _address(wanted: str, got: str) -> bool:
    if not _CIDR.fullmatch(wanted):
        raise ValueError(wanted)  # a netmask is no CIDR block
    network = ipaddress.ip_network(wanted, strict=False)
    return ipaddress.ip_address(got) in network


_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


def read_number(text: str) -> Decimal:
    """Parse the value of a numeric condition.

    Raises:
        ValueError: It is no number.
    """
    if not _NUMBER.fullmatch(text):
        raise ValueError(text)
    return Decimal(text)


# W3C "Date and Time Formats" (NOTE-datetime); a date alone is its midnight in UTC. A
# year alone is ambiguous with seconds since 1970, which are the other spelling.
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}(-[0-9]{2})?")
_MOMENT = re.compile(
    r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}(:[0-9]{2}(\.[0-9]{1,9})?)?"
    r"(Z|[+-][0-9]{2}:[0-9]{2})"
)


def read_moment(text: str) -> Decimal:
    """Parse the value of a date condition, as seconds since 1970.

    Raises:
        ValueError: It is no date.
    """
    if _DATE.fullmatch(text):
        day = text if len(text) == 10 else f"{text}-01"
        midnight = datetime.fromisoformat(day).replace(tzinfo=UTC)
        return Decimal(midnight.timestamp())
    if _MOMENT.fullmatch(text):
        return Decimal(datetime.fromisoformat(text).timestamp())
    if len(text) == 4:
        raise ValueError(text)
    return read_number(text)


def _ordered(
    read: Callable[[str], Decimal], holds: Callable[[Decimal, Decimal], bool]
) -> Test:
    return lambda wanted, got: holds(read(got), read(wanted))


def _orders(name: str, read: Callable[[str], Decimal]) -> dict[str, tuple[Test, bool]]:
    return {
        f"{name}equals": (_ordered(read, lambda a, b: a == b), False),
        f"{name}notequals": (_ordered(read, lambda a, b: a == b), True),
        f"{name}lessthan": (_ordered(read, lambda a, b: a < b), False),
        f"{name}lessthanequals": (_ordered(read, lambda a, b: a <= b), False),
        f"{name}greaterthan": (_ordered(read, lambda a, b: a > b), False),
        f"{name}greaterthanequals": (_ordered(read, lambda a, b: a >= b), False),
    }


@dataclass(frozen=True, slots=True)
class DecidedClause(ConditionClause):
    """Condition line decided for every request that does not state its key.

    Attributes:
        holds: Whether it holds.
    """

    holds: bool


# Operator in lower case -> (test of a policy's against a request's value, negated).
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
    "binaryequals": (_binary, False),
    "ipaddress": (_address, False),
    "notipaddress": (_address, True),
    **_orders("numeric", read_number),
    **_orders("date", read_moment),
}
_WILD = ("stringlike", "stringnotlike", "arn")
# Operators whose values may hold variables; in all others `${` is just text.
_VARIABLE = ("string", "arn", "bool")
_QUANTIFIERS = ("", "forallvalues", "foranyvalue")


def evaluate(clauses: tuple[ConditionClause, ...], known: Known) -> Formula:
    """Evaluate a Condition block; undecided lines become atoms."""
    open_ = []
    for clause in clauses:
        held = clause_holds(clause, known)
        if held is False:
            return FALSE
        if held is None:
            open_.append(clause)
    return _all_of(tuple(open_)) if open_ else TRUE


@lru_cache(maxsize=1 << 14)
def _all_of(clauses: tuple[ConditionClause, ...]) -> Formula:
    """Build the conjunction of open lines; none is negated, so none can cancel."""
    found = (
        Atom(clause.key, clause.operator, tuple(sorted(set(clause.values))))
        for clause in clauses
    )
    return frozenset({frozenset(found)})


def clause_holds(clause: ConditionClause, known: Known) -> bool | None:
    """Tell whether one condition line holds; None if undecided."""
    given = known.get(clause.key)
    if given is None:
        return clause.holds if isinstance(clause, DecidedClause) else None
    if _varies(clause.values):
        return _holds(clause.operator, clause.values, given, known)
    return _holds_always(clause.operator, clause.values, given)


@lru_cache(maxsize=1 << 14)
def _varies(values: tuple[str, ...]) -> bool:
    return any(has_variable(value) for value in values)


@lru_cache(maxsize=1 << 16)
def _holds_always(
    operator: str, values: tuple[str, ...], given: tuple[str, ...]
) -> bool | None:
    return _holds(operator, values, given, NOTHING)


def _holds(
    operator: str, values: tuple[str, ...], given: tuple[str, ...], known: Known
) -> bool | None:
    quantifier, base, if_exists = parse_operator(operator)
    if quantifier not in _QUANTIFIERS:
        return None
    if base == "null":
        return None if if_exists else _null(values, given)
    entry = _OPERATORS.get(base)
    if entry is None:
        return None
    if quantifier and not any(given):
        given = ()  # "a null data set, such as an empty string"
    if not given:
        return _missing(quantifier, negated=entry[1], if_exists=if_exists)
    return _quantified(quantifier, entry, _wanted(values, base, known), given)


def _missing(quantifier: str, *, negated: bool, if_exists: bool) -> bool | None:
    """Tell whether a line holds for a key that is absent from the request.

    Two combinations stay open, because the guide contradicts itself on them.
    """
    if quantifier == "foranyvalue":
        # "...IfExists: evaluate as true" and "ForAnyValue: returns false".
        return None if if_exists else False
    if quantifier and negated and not if_exists:
        # "ForAllValues returns true if there are no context keys in the request", and
        # the table of ForAllValues:StringNotLike: no key, no match.
        return None
    return bool(if_exists or negated or quantifier)


def _quantified(
    quantifier: str,
    entry: tuple[Test, bool],
    wanted: Wanted,
    given: tuple[str, ...],
) -> bool | None:
    test, negated = entry
    found = (_any(_tried(test, w, value) for w in wanted) for value in given)
    fits = [None if fit is None else fit != negated for fit in found]
    if quantifier == "forallvalues" or (negated and not quantifier):
        missed = _any(None if fit is None else not fit for fit in fits)
        return None if missed is None else not missed
    return _any(fits)


def _tried(test: Test, wanted: str | None, got: str) -> bool | None:
    if wanted is None:
        return None
    try:
        return test(wanted, got)
    except ValueError:
        return None  # a number, date or address that is none: it decides nothing


def _any(found: Iterable[bool | None]) -> bool | None:
    """Three-valued disjunction."""
    undecided = False
    for one in found:
        if one:
            return True
        undecided |= one is None
    return None if undecided else False


def holds_of(
    operator: str, tests: Iterable[bool | None], *, always_present: bool
) -> bool | None:
    """Tell whether a line holds for every single value of its key.

    Args:
        operator: As written; one that compares values.
        tests: For each value of the policy, the operator's test, before negation.
        always_present: Whether every request carries the key.
    """
    quantifier, base, if_exists = parse_operator(operator)
    if quantifier not in _QUANTIFIERS:
        return None
    _, negated = _OPERATORS[base]
    fits = _any(tests)
    present = None if fits is None else fits != negated
    if always_present:
        return present
    absent = _missing(quantifier, negated=negated, if_exists=if_exists)
    return present if present == absent else None


def parse_operator(operator: str) -> tuple[str, str, bool]:
    """Split an operator into its quantifier, its name, and whether it is `...IfExists`."""
    quantifier, _, rest = operator.lower().rpartition(":")
    base = rest.removesuffix("ifexists")
    return quantifier, base, base != rest


def _null(values: tuple[str, ...], given: tuple[str, ...]) -> bool | None:
    wanted = {value.lower() for value in values}
    if not wanted <= _TRUTH.keys():
        return None
    if given and not any(given):
        return None  # there, but with an empty value: "exists and is not null"?
    return ("true" if not given else "false") in wanted


def _wanted(values: tuple[str, ...], base: str, known: Known) -> Wanted:
    if not base.startswith(_VARIABLE):
        return values
    wild = base.startswith(_WILD)
    wanted: list[str | None] = []
    for value in values:
        if not wild and not has_variable(value):
            wanted.append(literal(value))
            continue
        resolved = resolve(value, known, wild=wild)
        if resolved.unknown:
            wanted.append(None)
        elif not resolved.void:  # nothing equals what is not there
            keep = base.startswith("arn")
            wanted.append(resolved.pattern if keep else flat(resolved.pattern))
    return tuple(wanted)
