"""Hypothesis strategies for small accounts with overlapping policies."""

from hypothesis import strategies as st

from answerable.model.policy import ConditionClause, PolicyEffect, Statement
from answerable.model.sighting import SightedFacts
from tests.reach.account_builder import A, AccountBuilder, B, role, user
from tests.reach.draw_helpers import distinct, pick

GROUP = f"arn:aws:iam::{A}:group/team"
MANAGED = f"arn:aws:iam::{A}:policy/managed"
USERS = [user("ana"), user("ben")]
ROLES = [role("one"), role("two"), role("far", B)]
IDENTITIES = USERS + ROLES
_RED, _WILD = (("team", "red"),), (("team", "r*d"),)
_TAGS: list[tuple[tuple[str, str], ...]] = [(), _RED, _WILD]

ACTIONS = [
    "s3:GetObject",
    "s3:PutObject",
    "s3:ListBucket",
    "s3:*",
    "s3:Get*",
    "s3:?etObject",
    "S3:getobject",
    "sts:AssumeRole",
    "sts:*",
    "iam:PassRole",
    "iam:*",
    "iam:Create*",
    "iam:PutUserPolicy",
    "iam:CreateAccessKey",
    "iam:UpdateAssumeRolePolicy",
    "iam:AddUserToGroup",
    "iam:CreatePolicyVersion",
    "iam:AttachRolePolicy",
    "lambda:*",
    "lambda:CreateFunction",
    "lambda:InvokeFunction",
    "ec2:RunInstances",
    "*",
]
RESOURCES = [
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::red",
    "arn:aws:s3:::red/*",
    "arn:aws:s3:::re?/?",
    "arn:aws:s3:::*/a",
    "arn:aws:s3:::blue/${aws:username}",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::${aws:PrincipalTag/none, 'blue'}/*",
    "arn:aws:iam::*:role/*",
    f"arn:aws:iam::{A}:role/one",
    f"arn:aws:iam::{A}:user/*",
    f"arn:aws:iam::{A}:user/${{aws:username}}",
    "arn:aws:iam",
    GROUP,
    MANAGED,
    f"arn:aws:lambda:*:{A}:function:dev-*",
    f"arn:aws:lambda:us-east-1:{A}:function:*",
]
CONDITIONS = [
    ConditionClause("StringEquals", "aws:PrincipalTag/team", ("red",)),
    ConditionClause("StringNotEquals", "aws:PrincipalTag/team", ("red", "blue")),
    ConditionClause("StringEqualsIfExists", "aws:PrincipalTag/none", ("x",)),
    ConditionClause("StringLikeIfExists", "aws:TagKeys", ("x",)),
    ConditionClause("StringLike", "AWS:PrincipalTag/team", ("r*",)),
    ConditionClause("Bool", "aws:MultiFactorAuthPresent", ("true",)),
    ConditionClause("BoolIfExists", "aws:MultiFactorAuthPresent", ("true",)),
    ConditionClause("IpAddress", "aws:SourceIp", ("10.0.0.0/8",)),
    ConditionClause("NotIpAddress", "aws:SourceIp", ("10.0.0.0/8",)),
    ConditionClause("StringEquals", "aws:PrincipalAccount", (A,)),
    ConditionClause("StringEquals", "aws:ResourceAccount", (A,)),
    ConditionClause("ArnLike", "aws:PrincipalArn", (f"arn:aws:iam::{A}:role/*",)),
    ConditionClause("ArnNotLike", "aws:PrincipalArn", (f"arn:aws:iam::{A}:user/a*",)),
    ConditionClause("Null", "aws:PrincipalTag/none", ("true",)),
    ConditionClause("Null", "aws:SourceVpc", ("false",)),
    ConditionClause("StringEquals", "iam:PassedToService", ("lambda.amazonaws.com",)),
    ConditionClause("ForAllValues:StringEquals", "aws:TagKeys", ("a", "b")),
    ConditionClause("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", ("o-1/*",)),
    ConditionClause("StringEquals", "s3:prefix", ("${aws:username}",)),
    ConditionClause("NumericLessThan", "s3:max-keys", ("10",)),
    ConditionClause("DateGreaterThan", "aws:CurrentTime", ("2026-01-01T00:00:00Z",)),
    ConditionClause("StringEquals", "sts:ExternalId", ("x",)),
    ConditionClause("MadeUpOperator", "aws:PrincipalAccount", (A,)),
]
PRINCIPALS = [
    ("AWS", "*"),
    ("AWS", A),
    ("AWS", f"arn:aws:iam::{A}:root"),
    ("AWS", f"arn:aws:iam::{B}:root"),
    ("AWS", USERS[0]),
    ("AWS", ROLES[0]),
    ("AWS", ROLES[2]),
    ("AWS", "AIDABEN"),
    ("AWS", f"arn:aws:sts::{A}:assumed-role/one/session"),
    ("Service", "lambda.amazonaws.com"),
    ("Service", "ec2.amazonaws.com"),
]
GIVEN = [
    {},
    {"aws:multifactorauthpresent": ("true",), "aws:sourceip": ("10.1.2.3",)},
    {"aws:multifactorauthpresent": ("false",), "aws:sourceip": ("192.0.2.1",)},
    {"aws:tagkeys": ("a", "c"), "s3:prefix": ("ana",), "s3:max-keys": ("nine",)},
    {"aws:principaltag/team": ("blue",), "aws:currenttime": ("2026-06-01T00:00:00Z",)},
    {"aws:tagkeys": (), "aws:principalorgpaths": ("o-1/r/", "o-2/r/")},
]

# What is common in real policies is common here, so that answers are not all `never`.
ACTIONS += ["*"] * 6 + ["s3:*", "sts:AssumeRole", "iam:*", "s3:GetObject"] * 2
RESOURCES += ["*"] * 12 + ["arn:aws:s3:::red/*", "arn:aws:s3:::re?/?"] * 3
PRINCIPALS += [("AWS", A), ("AWS", "*"), ("Service", "lambda.amazonaws.com")] * 2

some_conditions = st.one_of(
    st.just(()),
    st.just(()),
    st.lists(st.sampled_from(CONDITIONS), min_size=1, max_size=2).map(tuple),
)
effects = st.sampled_from([PolicyEffect.ALLOW] * 5 + [PolicyEffect.DENY])


def _few(values: list[str], most: int = 2) -> st.SearchStrategy[tuple[str, ...]]:
    return st.lists(st.sampled_from(values), min_size=1, max_size=most).map(tuple)


_actions, _resources = _few(ACTIONS), _few(RESOURCES)
_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)
_quarter, _eighth = st.integers(0, 3), st.integers(0, 7)
_named = st.lists(st.sampled_from(PRINCIPALS), min_size=1, max_size=2)


@st.composite
def permissions(draw: st.DrawFn) -> Statement:
    """A statement of an identity policy or a boundary."""
    actions, resources = draw(_actions), draw(_resources)
    inverted = pick(draw, [0, 0, 0, 1, 2, 3])
    return Statement(
        sid=pick(draw, "abc"),
        effect=draw(effects),
        actions=() if inverted & 1 else actions,
        not_actions=actions if inverted & 1 else (),
        resources=() if inverted & 2 else resources,
        not_resources=resources if inverted & 2 else (),
        principals=(),
        not_principals=(),
        conditions=draw(some_conditions),
    )


@st.composite
def trusts(draw: st.DrawFn) -> Statement:
    """A statement of a trust policy."""
    named = draw(_named)
    inverted = draw(_tenth) == 9
    action = pick(draw, ["sts:AssumeRole", "sts:*", "sts:TagSession"])
    return Statement(
        sid=pick(draw, "abc"),
        effect=pick(draw, [PolicyEffect.ALLOW] * 3 + [PolicyEffect.DENY]),
        actions=(action,),
        not_actions=(),
        resources=(),
        not_resources=(),
        principals=() if inverted else tuple(named),
        not_principals=tuple(named) if inverted else (),
        conditions=draw(some_conditions),
    )


_permission, _trust = permissions(), trusts()
_permissions, _trusts = st.lists(_permission, max_size=2), st.lists(_trust, max_size=2)
_their_own = st.lists(_permission, min_size=1, max_size=3)
_coin = st.booleans()


@st.composite
def estates(draw: st.DrawFn) -> SightedFacts:
    """Two users, two roles and one of another account, and all that binds them.

    Now and then all of them say the same, and of one something was not read.
    """
    build = AccountBuilder()
    if draw(_coin):
        build.organization(A, "o-1")
    alike = draw(_permissions) if draw(_tenth) == 9 else []
    lost = pick(draw, IDENTITIES)
    for arn in IDENTITIES:
        tags = pick(draw, _TAGS)
        build.identity(arn, tags)
        if alike:
            unread, written = ["lost"] if arn == lost else [], alike
        else:
            unread = ["lost"] if draw(_twentieth) == 19 else []
            written = draw(_their_own)
        build.policy(arn, "identity", *written, unread=unread)
        if draw(_quarter) == 3:
            build.policy(
                arn,
                "boundary",
                *draw(_permissions),
                collected=draw(_eighth) < 7,
            )
        if arn in ROLES and draw(_eighth) < 7:
            build.policy(arn, "trust", *draw(_trusts))
    shared = draw(_permissions)
    for arn in distinct(draw, 0, 2, IDENTITIES):
        build.policy(arn, "identity", *shared, policy=MANAGED)
    if draw(_coin):
        member = pick(draw, USERS)
        build.policy(
            member,
            "identity",
            *draw(_permissions),
            policy=f"{GROUP}#inline/g",
            via=GROUP,
        )
    return build.facts()


CALLS = [
    ("s3:GetObject", "arn:aws:s3:::red/a"),
    ("s3:GetObject", "arn:aws:s3:::re/a"),
    ("S3:putobject", "arn:aws:s3:::blue/ana"),
    ("s3:ListBucket", "arn:aws:s3:::red"),
    ("s3:ListBucket", "arn:aws:s3:::red/a"),
    ("s3:ListAllMyBuckets", "*"),
    *(("sts:AssumeRole", one) for one in ROLES),
    ("iam:PassRole", ROLES[0]),
    ("iam:CreateAccessKey", USERS[1]),
    ("kms:Decrypt", f"arn:aws:kms:us-east-1:{A}:key/k"),
]
some_calls = st.lists(st.sampled_from(CALLS), min_size=1, max_size=3, unique=True)
