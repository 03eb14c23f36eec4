"""Each operator of a Condition block, as the guide's page describes it.

Source of the rows: AWS IAM User Guide, "IAM JSON policy elements: Condition operators"
(one section per table), "Single-valued vs. multivalued context keys" and "IAM policy
elements: Variables and tags".
"""

import pytest

from answerable.model.policy import ConditionClause
from answerable.reach.aws.evaluation.conditions import (
    evaluate_block,
    evaluate_condition_line,
)
from answerable.reach.aws.evaluation.context_keys import ContextKeys
from answerable.reach.condition_formula import FALSE, TRUE

KEY = "s3:prefix"
Values = tuple[str, ...]


def held(
    operator: str, wanted: Values, got: Values | None, **more: Values
) -> bool | None:
    """Evaluate one line; None as `got` says that nothing is known of the key."""
    known: dict[str, Values] = {} if got is None else {KEY: got}
    known |= {name.replace("_", ":"): value for name, value in more.items()}
    return evaluate_condition_line(
        ConditionClause(operator, KEY, wanted), ContextKeys(known)
    )


Row = tuple[str, str | Values, str | Values, bool | None]


def _values(value: str | Values) -> Values:
    return (value,) if isinstance(value, str) else value


def agree(row: Row) -> None:
    operator, wanted, got, expected = row
    assert held(operator, _values(wanted), _values(got)) is expected, row


# String condition operators
STRINGS: list[Row] = [
    ("StringEquals", "red", "red", True),
    ("StringEquals", "red", "Red", False),
    ("StringEquals", ("blue", "red"), "red", True),
    ("StringEquals", "r*", "red", False),
    ("StringEquals", "r*", "r*", True),
    ("StringEquals", "", "", True),
    ("stringequals", "red", "red", True),
    ("StringNotEquals", "red", "blue", True),
    ("StringNotEquals", ("red", "blue"), "blue", False),
    ("StringEqualsIgnoreCase", "Red", "rED", True),
    ("StringEqualsIgnoreCase", "Red", "reds", False),
    ("StringNotEqualsIgnoreCase", "Red", "rED", False),
    ("StringNotEqualsIgnoreCase", "Red", "blue", True),
    ("StringLike", "r*", "red", True),
    ("StringLike", "r?d", "red", True),
    ("StringLike", "r?d", "rd", False),
    ("StringLike", "R*", "red", False),
    ("StringLike", ("", "home/"), "", True),
    ("StringLike", "red", "reds", False),
    ("StringLike", "a*c", "a*c", True),
    ("StringNotLike", "r*", "red", False),
    ("StringNotLike", "r*", "blue", True),
]

# Numeric condition operators: an integer or decimal value
NUMBERS: list[Row] = [
    ("NumericEquals", "10", "10.0", True),
    ("NumericEquals", "9007199254740993", "9007199254740992", False),
    ("NumericNotEquals", "10", "11", True),
    ("NumericNotEquals", ("10", "11"), "11", False),
    ("NumericLessThan", "10", "9.5", True),
    ("NumericLessThan", "10", "10", False),
    ("NumericLessThanEquals", "10", "10", True),
    ("NumericGreaterThan", "-1", "0", True),
    ("NumericGreaterThanEquals", "10", "9", False),
    ("NumericLessThan", "10", "nine", None),
    ("NumericLessThan", "10", "nan", None),
    ("NumericLessThan", "inf", "10", None),
    ("NumericEquals", "1_0", "10", None),
    ("NumericEquals", "${aws:username}", "10", None),
    ("NumericEquals", ("ten", "10"), "10", True),
    ("NumericEquals", ("10", "ten"), "10", True),
    ("NumericEquals", ("ten", "11"), "10", None),
    ("NumericNotEquals", ("ten", "10"), "10", False),
    ("NumericNotEquals", ("ten", "11"), "10", None),
]

# Date condition operators: W3C formats of ISO 8601, or epoch time
DATES: list[Row] = [
    ("DateEquals", "2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00", True),
    ("DateEquals", "1767225600", "2026-01-01T00:00:00Z", True),
    ("DateEquals", "2026-01-01", "2026-01-01T00:00Z", True),
    ("DateEquals", "2026-01", "2026-01-01", True),
    ("DateNotEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:01Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2025-12-31T23:59:59Z", True),
    ("DateLessThan", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", False),
    ("DateLessThanEquals", "2026-01-01T00:00:00Z", "2026-01-01T00:00:00Z", True),
    ("DateGreaterThan", "2026-01-01T00:00:00.5Z", "2026-01-01T00:00:01Z", True),
    ("DateGreaterThanEquals", "1767225600", "1767225599", False),
    ("DateEquals", "2026", "2026", None),  # a year, or seconds?
    ("DateLessThan", "2026-01-01T00:00:00", "2025-01-01", None),  # whose midnight?
    ("DateLessThan", "20260101T000000Z", "2025-01-01", None),
    ("DateLessThan", "2026-13-01", "2025-01-01", None),
    ("DateLessThan", "2026-01-*", "2025-01-01", None),
]

# Boolean condition operators
BOOLEANS: list[Row] = [
    ("Bool", "true", "true", True),
    ("Bool", "True", "tRUE", True),
    ("Bool", "false", "true", False),
    ("Bool", ("true", "false"), "false", True),
    ("Bool", "yes", "true", None),
    ("Bool", "true", "1", None),
]

# Binary condition operators: byte for byte against base64
BINARIES: list[Row] = [
    (
        "BinaryEquals",
        "QmluYXJ5VmFsdWVJbkJhc2U2NA==",
        "QmluYXJ5VmFsdWVJbkJhc2U2NA==",
        True,
    ),
    ("BinaryEquals", "QmluYXJ5VmFsdWVJbkJhc2U2NA==", "ASIAIOSFODNN7EXAMPLE", False),
    ("BinaryEquals", "QQ==", "QR==", True),  # the same byte
    ("BinaryEquals", "QQ==", "cQ==", False),
    ("BinaryEquals", "QQ==", "not base64", None),
    ("BinaryEquals", "${aws:username}", "QQ==", None),
    ("BinaryNotEquals", "QQ==", "cQ==", None),  # there is no such operator
]

# IP address condition operators
ADDRESSES: list[Row] = [
    ("IpAddress", "203.0.113.0/24", "203.0.113.1", True),
    ("IpAddress", "203.0.113.0/24", "198.51.100.1", False),
    ("IpAddress", "203.0.113.7", "203.0.113.7", True),
    ("IpAddress", "203.0.113.7", "203.0.113.8", False),
    ("IpAddress", "203.0.113.7/24", "203.0.113.200", True),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5678::1", True),
    ("IpAddress", "2001:DB8:1234:5678::/64", "2001:db8:1234:5679::1", False),
    ("IpAddress", ("203.0.113.0/24", "2001:DB8::/32"), "2001:db8::9", True),
    ("IpAddress", "0.0.0.0/0", "2001:db8::9", False),
    ("NotIpAddress", "203.0.113.0/24", "203.0.113.1", False),
    ("NotIpAddress", "203.0.113.0/24", "2001:db8::9", True),
    ("IpAddress", "203.0.113.0/255.255.255.0", "203.0.113.1", None),
    ("IpAddress", "203.0.113.*", "203.0.113.1", None),
    ("IpAddress", "203.0.113.0/33", "203.0.113.1", None),
    ("IpAddress", ("bad", "203.0.113.0/24"), "203.0.113.1", True),
    ("NotIpAddress", ("bad", "203.0.113.0/24"), "203.0.113.1", False),
]

TOPIC = "arn:aws:sns:us-west-2:123456789012:TOPIC-ID"
DEEP = (
    "arn:aws:someservice:us-east-2:999999999999:"
    "store/abc:111122223333:finance/document.txt"
)
# ARN condition operators: each of the six components by itself
ARNS: list[Row] = [
    ("ArnEquals", TOPIC, TOPIC, True),
    ("ArnEquals", TOPIC, "arn:aws:sns:us-west-2:777788889999:TOPIC-ID", False),
    ("ArnEquals", "arn:aws:sns:*:*:*", TOPIC, True),  # as ArnLike does
    ("ArnLike", "arn:*:sns:us-west-?:*:TOPIC-*", TOPIC, True),
    ("ArnLike", "arn:aws:sns:us-west-2:123456789012:topic-id", TOPIC, False),
    ("ArnLike", "arn:aws:someservice:*:111122223333:finance/*", DEEP, False),
    ("StringLike", "arn:aws:someservice:*:111122223333:finance/*", DEEP, True),
    ("ArnLike", "arn:aws:s3:::a*", "arn:aws:s3:::a:b:c", True),
    ("ArnLike", "*", TOPIC, True),
    ("ArnLike", TOPIC, "no arn", False),
    ("ArnNotEquals", TOPIC, TOPIC, False),
    ("ArnNotLike", "arn:aws:sns:*:*:*", TOPIC, False),
    ("ArnNotLike", "arn:aws:sqs:*:*:*", TOPIC, True),
    ("ArnLike", "arn:aws:sns", TOPIC, None),  # only Resource completes an ARN
    ("ArnLike", ("arn:aws:sns", "arn:aws:sns:*:*:*"), TOPIC, True),
]

# Set operators for multivalued context keys
TWO = ("a", "b")
SETS: list[Row] = [
    ("ForAllValues:StringEquals", TWO, "a", True),
    ("ForAllValues:StringEquals", TWO, TWO, True),
    ("ForAllValues:StringEquals", TWO, ("a", "c"), False),
    ("ForAllValues:StringNotEquals", TWO, ("c", "d"), True),
    ("ForAllValues:StringNotEquals", TWO, ("a", "c"), False),
    ("ForAllValues:StringLike", "a*", ("ab", "ac"), True),
    ("ForAllValues:StringNotLike", "a*", ("b", "ac"), False),
    ("ForAnyValue:StringEquals", TWO, ("a", "c"), True),
    ("ForAnyValue:StringEquals", TWO, ("c", "d"), False),
    ("ForAnyValue:StringNotEquals", TWO, ("a", "c"), True),
    ("ForAnyValue:StringNotEquals", TWO, TWO, False),
    ("ForAnyValue:StringNotLike", "a*", ("ab", "ac"), False),
    ("ForAnyValue:StringNotLike", "a*", ("ab", "b"), True),
    ("ForAllValues:StringEqualsIgnoreCase", ("A", "b"), ("a", "B"), True),
    ("ForAnyValue:StringNotEqualsIgnoreCase", ("A", "b"), ("a", "B"), False),
    ("ForAllValues:Bool", "true", ("true", "false"), False),
    ("ForAnyValue:Bool", "true", ("true", "false"), True),
    ("ForAllValues:ArnLike", "arn:aws:sns:*:*:*", (TOPIC, TOPIC), True),
    ("ForAnyValue:ArnNotEquals", TOPIC, (TOPIC, "arn:aws:sns:::x"), True),
    ("ForAllValues:ArnNotLike", TOPIC, (TOPIC, "arn:aws:sns:::x"), False),
    ("ForAnyValue:NumericLessThan", "10", ("11", "9"), True),
    ("ForAllValues:IpAddress", "10.0.0.0/8", ("10.1.1.1", "11.1.1.1"), False),
    ("ForAnyValue:NumericLessThan", "10", ("nine", "9"), True),
    ("ForAllValues:NumericLessThan", "10", ("nine", "9"), None),
    ("ForAllValues:NumericLessThan", "10", ("nine", "11"), False),
    # "a null data set, such as an empty string"
    ("ForAllValues:StringEquals", TWO, "", True),
    ("ForAnyValue:StringEquals", ("", "a"), "", False),
    ("ForEachValue:StringEquals", TWO, "a", None),  # there is no such quantifier
]

# Where the request does not carry the key
MISSING: list[Row] = [
    ("StringEquals", "a", (), False),
    ("StringLike", "*", (), False),
    ("NumericLessThan", "10", (), False),
    ("Bool", "false", (), False),
    ("BinaryEquals", "QQ==", (), False),
    ("StringNotEquals", "a", (), True),
    ("StringNotLike", "*", (), True),
    ("NotIpAddress", "10.0.0.0/8", (), True),
    ("ArnNotEquals", TOPIC, (), True),
    ("DateNotEquals", "2026-01-01", (), True),
    ("StringEqualsIfExists", "a", (), True),
    ("StringNotEqualsIfExists", "a", (), True),
    ("BoolIfExists", "true", (), True),
    ("ForAllValues:StringEquals", "a", (), True),
    ("ForAllValues:ArnLike", TOPIC, (), True),
    ("ForAllValues:StringNotEqualsIfExists", "a", (), True),
    ("ForAnyValue:StringEquals", "a", (), False),
    ("ForAnyValue:StringNotEquals", "a", (), False),
    # The guide says two things of each of these
    ("ForAllValues:StringNotLike", "a", (), None),
    ("ForAnyValue:StringEqualsIfExists", "a", (), None),
    # Null: true, the key does not exist; false, it does and its value is not null
    ("Null", "true", (), True),
    ("Null", "false", (), False),
    ("Null", "true", "x", False),
    ("Null", "False", "x", True),
    ("Null", ("true", "false"), "x", True),
    ("Null", "maybe", "x", None),
    ("Null", "false", "", None),
    ("NullIfExists", "true", (), None),  # IfExists goes on any operator but Null
]

# A condition value list may be empty: nothing then matches
EMPTY: list[Row] = [
    ("StringEquals", (), "a", False),
    ("StringNotEquals", (), "a", True),
    ("ForAllValues:StringEquals", (), "a", False),
    ("ForAllValues:StringEquals", (), (), True),
    ("ForAnyValue:StringNotEquals", (), "a", True),
    ("Null", (), "a", False),
]


@pytest.mark.parametrize(
    "row",
    [
        *STRINGS,
        *NUMBERS,
        *DATES,
        *BOOLEANS,
        *BINARIES,
        *ADDRESSES,
        *ARNS,
        *SETS,
        *MISSING,
        *EMPTY,
    ],
    ids=str,
)
def test_an_operator_says(row: Row) -> None:
    agree(row)


@pytest.mark.parametrize(
    ("operator", "wanted", "got", "expected"),
    [
        # String, ARN and Boolean operators take variables
        ("StringEquals", "${aws:username}", "ana", True),
        ("StringEquals", "home/${aws:username}", "home/ana", True),
        ("StringLike", "home/${aws:username}/*", "home/ana/x", True),
        ("StringLike", "home/${aws:username}/*", "home/ben/x", False),
        ("StringNotEquals", "${aws:username}", "ana", False),
        (
            "ArnLike",
            "arn:aws:iam::*:user/${aws:username}",
            "arn:aws:iam::1:user/ana",
            True,
        ),
        ("Bool", "${aws:ViaAWSService}", "false", True),
        ("StringEquals", "${AWS:UserName}", "ana", True),
        # A value's own wildcards are letters
        ("StringLike", "${aws:PrincipalTag/star}", "x", False),
        ("StringLike", "${aws:PrincipalTag/star}", "*", True),
        # Special characters
        ("StringLike", "a${*}", "a*", True),
        ("StringLike", "a${*}", "ab", False),
        ("StringLike", "a${?}", "ab", False),
        ("StringEquals", "a${$}{b}", "a${b}", True),
        ("StringEquals", "a${*}", "a*", True),
        # Default values
        ("StringEquals", "${aws:PrincipalTag/team, 'red'}", "red", True),
        ("StringEquals", "${aws:username, 'red'}", "red", False),
        ("StringEquals", "${aws:TagKeys, 'red'}", "red", True),
        # Policy variables with no value
        ("StringEquals", "${aws:PrincipalTag/team}", "red", False),
        ("StringLike", "*${aws:PrincipalTag/team}*", "red", False),
        ("StringNotEquals", "${aws:PrincipalTag/team}", "red", True),
        ("StringNotLike", "${aws:PrincipalTag/team}", "red", True),
        ("StringEquals", "${aws:TagKeys}", "a", False),  # multivalued: no variable
        # Nothing is known of the variable
        ("StringEquals", "${aws:userid}", "red", None),
        ("StringNotLike", "${aws:userid}", "red", None),
        # Left as it is
        ("StringEquals", "${aws:username", "${aws:username", True),
    ],
)
def test_a_variable_in_a_value(
    operator: str, wanted: str, got: str, expected: bool | None
) -> None:
    known = ContextKeys(
        {
            KEY: (got,),
            "aws:username": ("ana",),
            "aws:viaawsservice": ("false",),
            "aws:tagkeys": ("a", "b"),
            "aws:principaltag/star": ("*",),
        },
        ("aws:principaltag/",),
    )
    clause = ConditionClause(operator, KEY, (wanted,))
    assert evaluate_condition_line(clause, known) is expected


def test_keys_have_no_case_and_values_have() -> None:
    known = ContextKeys({"aws:principaltag/team": ("Red",)})
    assert evaluate_condition_line(
        ConditionClause("StringEquals", "AWS:PrincipalTag/TEAM", ("Red",)), known
    )
    assert not evaluate_condition_line(
        ConditionClause("StringEquals", "aws:PrincipalTag/team", ("red",)), known
    )


def test_an_unknown_operator_or_key_stays_open_as_it_was_written() -> None:
    made_up = ConditionClause("StringMatches", KEY, ("b", "a"))
    formula = evaluate_block((made_up,), ContextKeys({KEY: ("a",)}))
    ((atom,),) = formula
    assert (atom.key, atom.operator, atom.values) == (KEY, "StringMatches", ("a", "b"))
    assert evaluate_block((made_up,), ContextKeys({})) == formula


def test_all_lines_must_hold() -> None:
    yes = ConditionClause("StringEquals", KEY, ("a",))
    no = ConditionClause("StringEquals", KEY, ("b",))
    open_ = ConditionClause("Bool", "aws:SecureTransport", ("true",))
    known = ContextKeys({KEY: ("a",)})
    assert evaluate_block((), known) == TRUE
    assert evaluate_block((yes,), known) == TRUE
    assert evaluate_block((yes, open_, no), known) == FALSE
    assert len(evaluate_block((yes, open_), known)) == 1
