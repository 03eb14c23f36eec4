"""Hypothesis strategies for organisations with SCPs and RCPs at every level."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from answerable.model.policy import PolicyEffect, Statement
from tests.reach.account_builder import A, AccountBuilder, B, role, user
from tests.reach.draw_helpers import distinct, pick
from tests.reach.strategies_conditions import lines
from tests.reach.strategies_mix import EVEN, Mix, draw_share

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

_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)


@dataclass(frozen=True)
class SpellingPool:
    """What policies speak of: mostly of what will be asked, in many spellings.

    Attributes:
        actions: Of the calls, and others.
        places: Resources, likewise.
    """

    actions: Sequence[str]
    places: Sequence[str]


def build_pool(calls: Sequence[tuple[str, str]]) -> SpellingPool:
    """Spell the actions and resources of calls, exactly and in patterns."""
    actions, places = ["*"] * 3, ["*"] * 6
    for action, resource in calls:
        service, _, name = action.partition(":")
        actions += [action, f"{service}:*", f"{service}:{name[:3]}*"]
        actions += [f"{service}:?{name[1:]}", action.lower(), f"{service}:?{name}"]
        head, tail = resource[:-1], resource[-1:]
        places += [resource, f"{head}?", f"{head}*", f"{resource}?", f"{head}{tail}*"]
        if resource.startswith("arn:aws:s3:::"):
            places += _S3 * 2
    return SpellingPool(actions + ANYTHING, places + ANYWHERE)


_S3 = [
    "arn:aws:s3:::red/${aws:username}",
    "arn:aws:s3:::${aws:PrincipalTag/team}/*",
    "arn:aws:s3:::${aws:PrincipalTag/none, 'red'}/*",
    "arn:aws:s3:::${aws:PrincipalTag/team}",
]


@st.composite
def permissions(
    draw: st.DrawFn, pool: SpellingPool, mix: Mix = EVEN, denies: int = 1
) -> Statement:
    """A statement without principals; `denies` in ten of them deny."""
    turned = draw(_tenth)
    varied = mix.variables and draw_share(draw, mix.variables)
    action = (pick(draw, pool.actions),)
    place = (pick(draw, _S3 if varied else pool.places),)
    if draw(_tenth) > 7:
        place += (pick(draw, pool.places),)
    return Statement(
        sid=pick(draw, "abc"),
        effect=PolicyEffect.DENY if draw(_tenth) < denies else PolicyEffect.ALLOW,
        actions=() if turned == 8 else action,
        not_actions=action if turned == 8 else (),
        resources=() if turned == 9 else place,
        not_resources=place if turned == 9 else (),
        principals=(),
        not_principals=(),
        conditions=draw(lines(mix.lines)),
    )


def everything(sid: str = "full") -> Statement:
    """`Allow * on *`, as in FullAWSAccess."""
    return Statement(sid, PolicyEffect.ALLOW, ("*",), (), ("*",), (), (), (), ())


FULL = everything()


def organisations(
    draw: st.DrawFn, build: AccountBuilder, pool: SpellingPool, mix: Mix
) -> None:
    """Accounts, with and without an organisation, its SCPs and its RCPs."""
    if not draw_share(draw, mix.organised):
        return
    placed = draw_share(draw, 9)
    for account, parents in PATHS.items():
        path = parents if placed else ()
        build.organization(account, "o-1", path, management=account == M)
    if draw_share(draw, mix.scp):
        controls(draw, build, pool, mix)
    if draw_share(draw, mix.rcp):
        for place in distinct(draw, 1, 2, LEVELS):
            build.policy(
                place,
                "rcp",
                _for_everybody(draw(permissions(pool, mix, 7))),
                policy=f"p-rcp-{place}",
                unread=["lost"] if draw(_twentieth) == 19 else [],
                collected=draw(_twentieth) < 19,
            )


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


def controls(
    draw: st.DrawFn, build: AccountBuilder, pool: SpellingPool, mix: Mix
) -> None:
    """SCPs: FullAWSAccess at most levels, more or something else at one or two."""
    odd = distinct(draw, 1, 2, LEVELS)
    for level in LEVELS:
        how = draw(_tenth) if level in odd else -1
        if how == 9:
            continue
        if how < 5:
            build.policy(level, "scp", FULL, policy="p-FullAWSAccess")
        if how >= 0:
            said = draw(permissions(pool, mix, 8 if how < 5 else 1))
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
SUBJECTS = [*USERS, *ROLES, f"arn:aws:iam::{A}:root"]
SUBJECTS += [user("ana"), role("one")] * 3
TRUST_ACTIONS = ("sts:AssumeRole", "sts:AssumeRole", "sts:TagSession")
