"""Evaluate Condition blocks of policies as far as a request's keys are known.

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
    NO_KEYS,
    ContextKeys,
    has_policy_variable,
    resolve_policy_variables,
    unescape_pattern_colons,
)
from answerable.reach.aws.patterns.arn_matching import (
    ANY_ARN,
    matches_arn,
    split_arn,
    split_glob_arn,
)
from answerable.reach.aws.patterns.glob_matching import encode_literal, matches_glob
from answerable.reach.condition_formula import FALSE, TRUE, ConditionAtom, Formula

# Compares a policy's and a request's value; ValueError if either has the wrong type.
ValueTest = Callable[[str, str], bool]
# Values of a policy; None for a value with an unknown variable.
PolicyValues = tuple[str | None, ...]


def _equals_text(policy_value: str, request_value: str) -> bool:
    """Return whether a policy value equals a request value."""
    return policy_value == encode_literal(request_value)


def _equals_text_ignoring_case(policy_value: str, request_value: str) -> bool:
    """Return whether a policy value equals a request value in any case."""
    return policy_value.casefold() == encode_literal(request_value).casefold()


def _matches_value_glob(policy_value: str, request_value: str) -> bool:
    """Return whether a glob in a policy matches a request value."""
    return matches_glob(policy_value, encode_literal(request_value))


def _matches_arn_value(policy_value: str, request_value: str) -> bool:
    """Match an ARN pattern; an incomplete pattern is a ValueError."""
    parts = split_glob_arn(policy_value)
    if policy_value.count(":") < 5 and parts != ANY_ARN:
        raise ValueError(policy_value)  # only Resource completes an incomplete ARN
    return matches_arn(parts, split_arn(request_value))


_TRUTH = {"true": True, "false": False}


def _equals_boolean_value(policy_value: str, request_value: str) -> bool:
    """Compare `true` and `false` in any case; other texts are a ValueError."""
    if {policy_value.lower(), request_value.lower()} <= _TRUTH.keys():
        return policy_value.lower() == request_value.lower()
    raise ValueError(policy_value)


def _equals_binary_value(policy_value: str, request_value: str) -> bool:
    """Return whether two base64 texts encode the same bytes."""
    return _decode_base64(policy_value) == _decode_base64(request_value)


def _decode_base64(text: str) -> bytes:
    """Decode base64; text in another form is a ValueError."""
    return base64.b64decode(text, validate=True)


_CIDR = re.compile(r"[0-9A-Fa-f.:]+(/[0-9]{1,3})?")


def _is_in_network(policy_value: str, request_value: str) -> bool:
    """Return whether an IP address is in a CIDR block."""
    if not _CIDR.fullmatch(policy_value):
        raise ValueError(policy_value)  # a netmask is no CIDR block
    network = ipaddress.ip_network(policy_value, strict=False)
    return ipaddress.ip_address(request_value) in network


_NUMBER = re.compile(r"[+-]?([0-9]+(\.[0-9]*)?|\.[0-9]+)")


def parse_condition_number(text: str) -> Decimal:
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


def parse_condition_date(text: str) -> Decimal:
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
    return parse_condition_number(text)


def _build_comparison(
    parse: Callable[[str], Decimal], compare: Callable[[Decimal, Decimal], bool]
) -> ValueTest:
    """Build the test that parses both values and compares them."""
    return lambda wanted, got: compare(parse(got), parse(wanted))


def _build_comparison_operators(
    name: str, parse: Callable[[str], Decimal]
) -> dict[str, tuple[ValueTest, bool]]:
    """Build the six comparison operators of a type, such as `NumericLessThan`."""
    return {
        f"{name}equals": (_build_comparison(parse, lambda a, b: a == b), False),
        f"{name}notequals": (_build_comparison(parse, lambda a, b: a == b), True),
        f"{name}lessthan": (_build_comparison(parse, lambda a, b: a < b), False),
        f"{name}lessthanequals": (_build_comparison(parse, lambda a, b: a <= b), False),
        f"{name}greaterthan": (_build_comparison(parse, lambda a, b: a > b), False),
        f"{name}greaterthanequals": (
            _build_comparison(parse, lambda a, b: a >= b),
            False,
        ),
    }


@dataclass(frozen=True, slots=True)
class DecidedCondition(ConditionClause):
    """Condition line decided for every request that does not state its key.

    Attributes:
        holds: Whether it holds.
    """

    holds: bool


# Operator in lower case -> (test of a policy's against a request's value, negated).
_OPERATORS: dict[str, tuple[ValueTest, bool]] = {
    "stringequals": (_equals_text, False),
    "stringnotequals": (_equals_text, True),
    "stringequalsignorecase": (_equals_text_ignoring_case, False),
    "stringnotequalsignorecase": (_equals_text_ignoring_case, True),
    "stringlike": (_matches_value_glob, False),
    "stringnotlike": (_matches_value_glob, True),
    "arnequals": (_matches_arn_value, False),
    "arnlike": (_matches_arn_value, False),
    "arnnotequals": (_matches_arn_value, True),
    "arnnotlike": (_matches_arn_value, True),
    "bool": (_equals_boolean_value, False),
    "binaryequals": (_equals_binary_value, False),
    "ipaddress": (_is_in_network, False),
    "notipaddress": (_is_in_network, True),
    **_build_comparison_operators("numeric", parse_condition_number),
    **_build_comparison_operators("date", parse_condition_date),
}
_WILD = ("stringlike", "stringnotlike", "arn")
# Operators whose values may hold variables; in all others `${` is just text.
_VARIABLE = ("string", "arn", "bool")
_QUANTIFIERS = ("", "forallvalues", "foranyvalue")


def evaluate_block(
    conditions: tuple[ConditionClause, ...], known_keys: ContextKeys
) -> Formula:
    """Evaluate a Condition block to a formula; undecided lines become atoms."""
    open_ = []
    for clause in conditions:
        held = evaluate_condition_line(clause, known_keys)
        if held is False:
            return FALSE
        if held is None:
            open_.append(clause)
    return _conjoin_undecided_conditions(tuple(open_)) if open_ else TRUE


@lru_cache(maxsize=1 << 14)
def _conjoin_undecided_conditions(conditions: tuple[ConditionClause, ...]) -> Formula:
    """Build the conjunction of undecided condition lines."""
    found = (
        ConditionAtom(clause.key, clause.operator, tuple(sorted(set(clause.values))))
        for clause in conditions
    )
    return frozenset({frozenset(found)})


def evaluate_condition_line(
    condition: ConditionClause, known_keys: ContextKeys
) -> bool | None:
    """Return whether one condition line holds; None if undecided."""
    given = known_keys.get_key_values(condition.key)
    if given is None:
        return condition.holds if isinstance(condition, DecidedCondition) else None
    if _have_policy_variables(condition.values):
        return _evaluate_condition_operator(
            condition.operator, condition.values, given, known_keys
        )
    return _evaluate_constant_condition(condition.operator, condition.values, given)


@lru_cache(maxsize=1 << 14)
def _have_policy_variables(values: tuple[str, ...]) -> bool:
    """Return whether some condition values have policy variables."""
    return any(has_policy_variable(value) for value in values)


@lru_cache(maxsize=1 << 16)
def _evaluate_constant_condition(
    operator: str, values: tuple[str, ...], request_values: tuple[str, ...]
) -> bool | None:
    """Evaluate a condition line without policy variables; cached."""
    return _evaluate_condition_operator(operator, values, request_values, NO_KEYS)


def _evaluate_condition_operator(
    operator: str,
    values: tuple[str, ...],
    request_values: tuple[str, ...],
    known_keys: ContextKeys,
) -> bool | None:
    """Evaluate one condition line for the request's values; None if undecided."""
    quantifier, base, if_exists = parse_condition_operator(operator)
    if quantifier not in _QUANTIFIERS:
        return None
    if base == "null":
        return None if if_exists else _evaluate_null_operator(values, request_values)
    entry = _OPERATORS.get(base)
    if entry is None:
        return None
    if quantifier and not any(request_values):
        request_values = ()  # "a null data set, such as an empty string"
    if not request_values:
        return _evaluate_absent_key(quantifier, negated=entry[1], if_exists=if_exists)
    return _evaluate_set_quantifier(
        quantifier, entry, _resolve_variables(values, base, known_keys), request_values
    )


def _evaluate_absent_key(
    quantifier: str, *, negated: bool, if_exists: bool
) -> bool | None:
    """Return whether a condition holds for a key absent from the request.

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


def _evaluate_set_quantifier(
    quantifier: str,
    operator: tuple[ValueTest, bool],
    policy_values: PolicyValues,
    request_values: tuple[str, ...],
) -> bool | None:
    """Evaluate all policy values against all request values; None if undecided."""
    test, negated = operator
    found = (
        _disjoin_three_valued(_run_value_test(test, w, value) for w in policy_values)
        for value in request_values
    )
    fits = [None if fit is None else fit != negated for fit in found]
    if quantifier == "forallvalues" or (negated and not quantifier):
        missed = _disjoin_three_valued(None if fit is None else not fit for fit in fits)
        return None if missed is None else not missed
    return _disjoin_three_valued(fits)


def _run_value_test(
    test: ValueTest, policy_value: str | None, request_value: str
) -> bool | None:
    """Run a value test; None if a value is unknown or of the wrong type."""
    if policy_value is None:
        return None
    try:
        return test(policy_value, request_value)
    except ValueError:
        return None  # a number, date or address that is none: it decides nothing


def _disjoin_three_valued(values: Iterable[bool | None]) -> bool | None:
    """Return the three-valued disjunction (OR); None is undecided."""
    undecided = False
    for one in values:
        if one:
            return True
        undecided |= one is None
    return None if undecided else False


def evaluate_condition_for_any_value(
    operator: str, test_results: Iterable[bool | None], *, always_present: bool
) -> bool | None:
    """Return whether a condition holds for any value of its key; None if undecided.

    Args:
        operator: As written; one that compares values.
        test_results: For each value of the policy, the operator's test, before negation.
        always_present: Whether every request carries the key.
    """
    quantifier, base, if_exists = parse_condition_operator(operator)
    if quantifier not in _QUANTIFIERS:
        return None
    _, negated = _OPERATORS[base]
    fits = _disjoin_three_valued(test_results)
    present = None if fits is None else fits != negated
    if always_present:
        return present
    absent = _evaluate_absent_key(quantifier, negated=negated, if_exists=if_exists)
    return present if present == absent else None


def parse_condition_operator(operator: str) -> tuple[str, str, bool]:
    """Split an operator into its quantifier, its name, and whether it is `...IfExists`."""
    quantifier, _, rest = operator.lower().rpartition(":")
    base = rest.removesuffix("ifexists")
    return quantifier, base, base != rest


def _evaluate_null_operator(
    values: tuple[str, ...], request_values: tuple[str, ...]
) -> bool | None:
    """Evaluate IAM's `Null` operator (key absent or present); None if undecided."""
    wanted = {value.lower() for value in values}
    if not wanted <= _TRUTH.keys():
        return None
    if request_values and not any(request_values):
        return None  # there, but with an empty value: "exists and is not null"?
    return ("true" if not request_values else "false") in wanted


def _resolve_variables(
    values: tuple[str, ...], operator: str, known_keys: ContextKeys
) -> PolicyValues:
    """Resolve policy variables in values; None for an unknown variable."""
    if not operator.startswith(_VARIABLE):
        return values
    wild = operator.startswith(_WILD)
    wanted: list[str | None] = []
    for value in values:
        if not wild and not has_policy_variable(value):
            wanted.append(encode_literal(value))
            continue
        resolved = resolve_policy_variables(value, known_keys, wildcards=wild)
        if resolved.unknown:
            wanted.append(None)
        elif not resolved.void:  # nothing equals what is not there
            keep = operator.startswith("arn")
            wanted.append(
                resolved.pattern if keep else unescape_pattern_colons(resolved.pattern)
            )
    return tuple(wanted)
