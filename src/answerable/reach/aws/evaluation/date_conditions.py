"""Decide date conditions by the time at which their policy was collected.

Requests come later than the collection. The time of the question is not used: an answer
stored with a snapshot stays right, and a later scan decides more.

Source: AWS IAM User Guide, "AWS global condition context keys": `aws:CurrentTime` and
`aws:EpochTime` are in every request, `aws:TokenIssueTime` only in those that are made
with temporary credentials. AWS STS API Reference, "GetSessionToken", DurationSeconds:
temporary credentials last at most 129,600 seconds.
"""

from collections.abc import Callable
from decimal import Decimal

from answerable.model.policy import ConditionClause
from answerable.model.time_units import SECOND_NS
from answerable.reach.aws.evaluation.conditions import (
    DecidedCondition,
    evaluate_condition_for_any_value,
    parse_condition_date,
    parse_condition_number,
    parse_condition_operator,
)

_MAX_SESSION_SECONDS = 129_600
_REQUEST_TIME = ("aws:currenttime", "aws:epochtime")
_TOKEN_TIME = "aws:tokenissuetime"  # noqa: S105 - the name of a condition key


def decide_date_condition(condition: ConditionClause, seen_at: int) -> ConditionClause:
    """Decide a date condition whose result is the same for all later requests.

    Args:
        condition: Line of a Condition block.
        seen_at: Time at which its policy was collected, UTC nanoseconds.

    Returns:
        The line unchanged where requests may still differ.
    """
    key = condition.key.lower()
    if key != _TOKEN_TIME and key not in _REQUEST_TIME:
        return condition
    _, base, _ = parse_condition_operator(condition.operator)
    family, order = base[:4], base[4:]
    read: Callable[[str], Decimal] = parse_condition_date
    if key == "aws:epochtime" and base.startswith("numeric"):
        family, order, read = "date", base[7:], parse_condition_number
    if family != "date" or order not in _ORDERS:
        return condition
    earliest = Decimal(seen_at) / SECOND_NS
    if key == _TOKEN_TIME:
        earliest -= _MAX_SESSION_SECONDS
    tests = [
        _compare_with_later_times(order, value, read, earliest)
        for value in condition.values
    ]
    held = evaluate_condition_for_any_value(
        condition.operator, tests, always_present=key != _TOKEN_TIME
    )
    if held is None:
        return condition
    return DecidedCondition(condition.operator, condition.key, condition.values, held)


_ORDERS = (
    "equals",
    "notequals",
    "lessthan",
    "lessthanequals",
    "greaterthan",
    "greaterthanequals",
)
_DECIDED_WHEN_EQUAL = ("lessthan", "greaterthanequals")


def _compare_with_later_times(
    operator: str, value: str, parse: Callable[[str], Decimal], earliest: Decimal
) -> bool | None:
    """Compare a date with all times from the earliest on; None if they differ."""
    try:
        wanted = parse(value)
    except ValueError:
        return None
    if wanted > earliest or (
        wanted == earliest and operator not in _DECIDED_WHEN_EQUAL
    ):
        return None
    return operator.startswith("greaterthan")
