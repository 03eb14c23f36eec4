"""Condition lines over every operator, on keys that are known, stated, open, absent."""

from collections.abc import Iterator
from functools import cache
from itertools import product

from hypothesis import strategies as st

from answerable.model.policy import ConditionClause
from tests.reach.account_builder import A, B

Keys = dict[str, tuple[str, ...]]

STRINGS = ("Equals", "NotEquals", "Like", "NotLike")
STRINGS += ("EqualsIgnoreCase", "NotEqualsIgnoreCase")
ORDERS = ("Equals", "NotEquals", "LessThan", "LessThanEquals")
ORDERS += ("GreaterThan", "GreaterThanEquals")
FAMILIES: list[tuple[str, tuple[str, ...], list[tuple[str, tuple[str, ...]]]]] = [
    (
        "String",
        STRINGS,
        [
            ("aws:PrincipalTag/team", ("red",)),
            ("aws:PrincipalTag/team", ("RED", "blue")),
            ("aws:PrincipalTag/none", ("r?d",)),
            ("aws:PrincipalTag/team", ("r*",)),
            ("aws:TagKeys", ("a", "b")),
            ("aws:TagKeys", ("${aws:username}", "a")),
            ("aws:PrincipalAccount", (A,)),
            ("aws:PrincipalOrgPaths", ("o-1/r-1/ou-1/*", "o-2/*")),
            ("aws:ResourceTag/team", ("${aws:PrincipalTag/team}",)),
            ("aws:ResourceTag/team", ("${aws:PrincipalTag/none, 'red'}",)),
            ("aws:username", ("a${*}a", "a?a")),
            ("aws:SourceVpc", ("vpc-1",)),
            ("aws:PrincipalType", ("Anonymous", "User")),
        ],
    ),
    (
        "Numeric",
        ORDERS,
        [
            ("s3:max-keys", ("10",)),
            ("s3:max-keys", ("x", "1.0")),
            ("aws:EpochTime", ("1700000000",)),
        ],
    ),
    (
        "Date",
        ORDERS,
        [
            ("aws:CurrentTime", ("2026-06-01T00:00:00Z",)),
            ("aws:CurrentTime", ("1780272000", "2026")),
            # Policies were seen on 2026-03-01.
            ("aws:CurrentTime", ("2026-03-01T00:00:00Z",)),
            ("aws:CurrentTime", ("2025-01-01", "2025-06-01T00:00:00Z")),
            ("aws:CurrentTime", ("2025-01-01", "2027-01-01")),
            ("aws:EpochTime", ("1700000000",)),
            ("aws:TokenIssueTime", ("2026-02-27T12:00:00Z",)),
            ("aws:TokenIssueTime", ("2026-02-28T00:00:00Z",)),
            ("aws:TokenIssueTime", ("2020-01-01", "nothing")),
        ],
    ),
    (
        "Arn",
        STRINGS[:4],
        [
            ("aws:PrincipalArn", (f"arn:aws:iam::{A}:role/*",)),
            ("aws:PrincipalArn", (f"arn:aws:iam::{A}:user/a?a", "arn:aws")),
            ("aws:SourceArn", ("arn:aws:*:red/a", "arn:*:s3:*:*:red")),
        ],
    ),
]
_SINGLE = [
    ConditionClause(operator, key, values)
    for operator, key, values in [
        ("Bool", "aws:MultiFactorAuthPresent", ("true",)),
        ("BoolIfExists", "aws:MultiFactorAuthPresent", ("false",)),
        ("Bool", "aws:SecureTransport", ("False",)),
        ("Bool", "aws:PrincipalIsAWSService", ("false",)),
        ("BoolIfExists", "aws:PrincipalIsAWSService", ("false",)),
        ("Bool", "aws:MultiFactorAuthPresent", ("${aws:username}",)),
        ("IpAddress", "aws:SourceIp", ("10.0.0.0/8", "nowhere")),
        ("NotIpAddress", "aws:SourceIp", ("10.0.0.0/8",)),
        ("NotIpAddressIfExists", "aws:SourceIp", ("2001:db8::/32",)),
        ("IpAddress", "aws:SourceIp", ("10.1.2.3",)),
        ("BinaryEquals", "app:blob", ("cmVk",)),
        ("BinaryEquals", "app:blob", ("not base64",)),
        ("Null", "aws:PrincipalTag/none", ("true",)),
        ("Null", "aws:PrincipalTag/team", ("false",)),
        ("Null", "aws:SourceVpc", ("true", "false")),
        ("Null", "s3:DataAccessPointArn", ("true",)),
        ("NullIfExists", "aws:PrincipalTag/none", ("true",)),
        ("StringEquals", "aws:PrincipalOrgID", ("o-1",)),
        ("StringNotEqualsIfExists", "aws:PrincipalOrgID", ("o-1",)),
        ("StringEquals", "aws:ResourceOrgID", ("${aws:PrincipalOrgID}",)),
        ("StringNotEquals", "aws:ResourceAccount", (A,)),
        ("StringEquals", "s3:ResourceAccount", (B,)),
        ("StringEquals", "aws:ResourceAccount", ("${aws:PrincipalAccount}",)),
        ("StringEquals", "s3:DataAccessPointAccount", (A,)),
        ("StringEquals", "s3:AccessPointNetworkOrigin", ("VPC",)),
        ("StringEquals", "iam:PassedToService", ("lambda.amazonaws.com",)),
        ("StringEquals", "aws:userid", ("AIDAANA",)),
        ("StringEquals", "aws:PrincipalServiceName", ("lambda.amazonaws.com",)),
        ("StringEquals", "kms:ViaService", ("s3.us-east-1.amazonaws.com",)),
        ("MadeUpOperator", "aws:PrincipalAccount", (A,)),
        ("ForSome:StringEquals", "aws:PrincipalAccount", (A,)),
    ]
]


def _every() -> Iterator[ConditionClause]:
    """Each operator with each suffix and quantifier, on each key of its family."""
    words = ("", "ForAllValues:", "ForAnyValue:")
    for family, operators, uses in FAMILIES:
        for word, suffix in product(words, ("", "IfExists")):
            for operator, (key, values) in product(operators, uses):
                name = f"{word}{family}{operator}{suffix}"
                yield ConditionClause(name, key, values)


EVERY = [*_every(), *_SINGLE * 10]
# Conditions under which S3 takes a policy for everybody as public, or not.
PINNING = [
    ConditionClause(operator, key, values)
    for operator, key, values in [
        ("StringEquals", "aws:SourceVpc", ("vpc-1",)),
        ("StringLike", "aws:SourceVpc", ("vpc-*",)),
        ("StringEqualsIfExists", "aws:SourceVpc", ("vpc-1",)),
        ("StringNotEquals", "aws:SourceVpc", ("vpc-2",)),
        ("IpAddress", "aws:SourceIp", ("10.0.0.0/8",)),
        ("IpAddress", "aws:SourceIp", ("10.1.0.0/16", "0.0.0.0/1")),
        ("StringEquals", "aws:PrincipalOrgID", ("o-1",)),
        ("StringEquals", "aws:PrincipalAccount", (B,)),
        ("ArnLike", "aws:PrincipalArn", (f"arn:aws:iam::{B}:role/*",)),
        ("StringEquals", "s3:DataAccessPointAccount", (A,)),
        ("Bool", "aws:SecureTransport", ("true",)),
    ]
]
# Decided without help for most principals, so that answers are not all `only-if`.
DECIDED = [
    ConditionClause("StringEquals", "aws:PrincipalAccount", (A,)),
    ConditionClause("StringNotEquals", "aws:PrincipalAccount", (B,)),
    ConditionClause("StringEquals", "aws:PrincipalOrgID", ("o-1",)),
    ConditionClause("StringNotEqualsIfExists", "aws:PrincipalTag/team", ("blue",)),
    ConditionClause("ArnNotLike", "aws:PrincipalArn", (f"arn:aws:iam::{A}:role/t*",)),
    ConditionClause("StringLike", "aws:PrincipalTag/team", ("r*",)),
    ConditionClause("ForAllValues:StringEquals", "aws:PrincipalTag/none", ("x",)),
    ConditionClause("ForAnyValue:StringEquals", "aws:PrincipalTag/team", ("red",)),
]
GIVENS: list[Keys] = [
    {},
    {},
    {
        "aws:multifactorauthpresent": ("true",),
        "aws:sourceip": ("10.1.2.3",),
        "aws:securetransport": ("true",),
        "aws:sourcevpc": ("vpc-1",),
        "aws:tagkeys": ("a", "c"),
    },
    {
        "aws:multifactorauthpresent": ("false",),
        "aws:sourceip": ("192.0.2.1",),
        "aws:currenttime": ("2026-06-01T00:00:00.5Z",),
        "s3:max-keys": ("10",),
        "aws:tagkeys": ("", ""),
    },
    {
        "aws:tagkeys": ("a", "b"),
        "s3:max-keys": ("nine",),
        "aws:currenttime": ("1780272001",),
        "app:blob": ("cmVk",),
        "aws:sourcearn": ("arn:aws:s3:::red",),
        "sts:rolesessionname": ("session",),
    },
    {
        "aws:tagkeys": (),
        "aws:principaltag/team": ("blue",),
        "aws:sourceip": (),
        "aws:sourcevpc": (),
        "app:blob": ("%%",),
        "aws:principalorgpaths": ("o-1/r-1/ou-1/", "o-2/r/"),
        "sts:rolesessionname": (),
    },
]


@cache
def lines(text: str) -> st.SearchStrategy[tuple[ConditionClause, ...]]:
    """None, one or two lines; with a text, one that holds it."""
    if text:
        wanted = [c for c in EVERY if text in c.operator + c.key]
        return st.tuples(st.sampled_from(wanted))
    line = st.sampled_from([*EVERY, *DECIDED * 40])
    counts = st.sampled_from([0, 0, 0, 0, 0, 0, 1, 1, 2])
    return counts.flatmap(lambda count: st.tuples(*[line] * count))


given_keys = st.sampled_from(GIVENS)
