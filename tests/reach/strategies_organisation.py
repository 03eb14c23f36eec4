"""Organisations: accounts in units, and what is attached at every level."""

from hypothesis import strategies as st

from answerable.model.policy import Effect, Statement
from tests.reach.build import A, B, Builder, role, user
from tests.reach.strategies_conditions import some_lines
from tests.reach.strategies_resources import own_statements

M = "777766665555"  # manages the organisation
ROOT, UNIT, OTHER = "r-1", "ou-1", "ou-2"
PATHS = {A: (ROOT, UNIT), B: (ROOT, OTHER), M: (ROOT,)}
LEVELS = [ROOT, UNIT, OTHER, A, B, M]
ANYTHING = [
    "*",
    "*",
    "*",
    "s3:*",
    "s3:Get*",
    "s3:?etObject",
    "kms:*",
    "kms:Decrypt",
    "sts:AssumeRole",
    "lambda:*",
    "s?s:*",
    "ecr:*",
    "secretsmanager:*",
    "ec2:*",
    "iam:*",
]
ANYWHERE = [
    "*",
    "*",
    "*",
    "*",
    "*",
    "arn:aws:s3:::*",
    "arn:aws:s3:::red/*",
    "arn:aws:s3:::re?/?",
    "arn:aws:s3:::red/${aws:username}",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::${aws:PrincipalTag/none, 'red'}/*",
    "arn:aws:*red/a",
    "arn:aws:s3:*:*:accesspoint/door/*",
    "arn:aws:s3:*:*:accesspoint/door",
    "arn:aws:kms:*:*:key/*",
    f"arn:aws:*:*:{A}:*",
    f"arn:aws:*:us-east-1:{B}:*",
    "arn:aws:iam::*:role/*",
    f"arn:aws:sqs:*:{A}:q?",
    "arn:aws:lambda:*:*:function:f",
]

_action, _place = st.sampled_from(ANYTHING), st.sampled_from(ANYWHERE)
_sid = st.sampled_from("abc")
_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)


@st.composite
def permissions(draw: st.DrawFn, denies: int = 1) -> Statement:
    """A statement without principals; `denies` in ten of them deny."""
    turned = draw(_tenth)
    action, place = (draw(_action),), (draw(_place),)
    if draw(_tenth) > 7:
        place += (draw(_place),)
    return Statement(
        sid=draw(_sid),
        effect=Effect.DENY if draw(_tenth) < denies else Effect.ALLOW,
        actions=() if turned == 8 else action,
        not_actions=action if turned == 8 else (),
        resources=() if turned == 9 else place,
        not_resources=place if turned == 9 else (),
        principals=(),
        not_principals=(),
        conditions=draw(some_lines),
    )


def everything(sid: str = "full") -> Statement:
    """`Allow * on *`, as in FullAWSAccess."""
    return Statement(sid, Effect.ALLOW, ("*",), (), ("*",), (), (), (), ())


FULL = everything()
allowing = permissions()
denying = permissions(denies=8)


@st.composite
def organisations(draw: st.DrawFn, build: Builder) -> None:
    """Accounts, with and without an organisation, its SCPs and its RCPs."""
    how = draw(_tenth)
    if how == 0:
        return
    for account, parents in PATHS.items():
        path = () if how == 1 else parents
        build.organization(account, "o-1", path, management=account == M)
    if how > 3:
        draw(controls(build))
    if how > 6:
        for place in draw(st.lists(st.sampled_from(LEVELS), max_size=2, unique=True)):
            unread = ["lost"] if draw(_twentieth) == 19 else []
            collected = draw(_twentieth) < 19
            said = draw(own_statements(RCP_ACTIONS, ANYWHERE))
            build.policy(
                place,
                "rcp",
                _for_everybody(said),
                policy=f"p-rcp-{place}",
                unread=unread,
                collected=collected,
            )


RCP_ACTIONS = ("s3:GetObject", "kms:Decrypt", "sqs:SendMessage", "sts:AssumeRole", "*")


def _for_everybody(said: Statement) -> Statement:
    """The form of an RCP: its Principal is `*`."""
    return Statement(
        said.sid,
        said.effect,
        said.actions,
        said.not_actions,
        said.resources,
        said.not_resources,
        (("AWS", "*"),),
        (),
        said.conditions,
    )


@st.composite
def controls(draw: st.DrawFn, build: Builder) -> None:
    """SCPs: FullAWSAccess at most levels, more or something else at one or two."""
    odd = draw(st.lists(st.sampled_from(LEVELS), max_size=2, unique=True))
    for level in LEVELS:
        how = draw(_tenth) if level in odd else -1
        if how == 9:
            continue
        if how < 5:
            build.policy(level, "scp", FULL, policy="p-FullAWSAccess")
        if how >= 0:
            said = draw(denying if how < 5 else allowing)
            build.policy(
                level,
                "scp",
                said,
                policy=f"p-{level}",
                unread=["lost"] if how == 4 else [],
                collected=how != 8,
            )


USERS = [user("ana"), user("boss", M)]
ROLES = [role("one"), role("far", B), role("aws-service-role/linked")]
SUBJECTS = [*USERS, *ROLES, f"arn:aws:iam::{A}:root", user("ana"), role("one")]
TRUST_ACTIONS = ("sts:AssumeRole", "sts:AssumeRole", "sts:TagSession")
