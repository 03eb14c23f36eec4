"""Hypothesis strategies for resources with policies, and questions about them."""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from hypothesis import strategies as st

from answerable.model.policy import PolicyEffect, Statement
from tests.reach.account_builder import A, AccountBuilder, B, role, user
from tests.reach.draw_helpers import pick, some
from tests.reach.pending_reference import PENDING
from tests.reach.strategies_conditions import PINNING, lines
from tests.reach.strategies_mix import EVEN, Mix, draw_share

C = "999988887777"  # nobody's: not in the snapshot
ANA, ONE, FAR, OUTSIDER = user("ana"), role("one"), role("far", B), role("outsider", C)
SERVICE = "lambda.amazonaws.com"
BUCKET = "arn:aws:s3:::red"
PRINCIPALS = [
    ("AWS", "*"),
    ("AWS", A),
    ("AWS", B),
    ("AWS", C),
    ("AWS", f"arn:aws:iam::{A}:root"),
    ("AWS", f"arn:aws:iam::{B}:root"),
    ("AWS", f"arn:aws:iam::{C}:root"),
    ("AWS", ANA),
    ("AWS", ONE),
    ("AWS", FAR),
    ("AWS", "AIDAANA"),
    ("AWS", "AROAONE"),
    ("AWS", OUTSIDER),
    ("AWS", f"arn:aws:sts::{A}:assumed-role/one/session"),
    ("AWS", f"arn:aws:sts::{C}:assumed-role/outsider/session"),
    ("Service", SERVICE),
    ("Federated", f"arn:aws:iam::{A}:oidc-provider/example.com"),
    ("CanonicalUser", "79a59df900b949e55d96a1e698fbaced"),
]
# Who is asked about stands here more often, so that policies speak of somebody.
OFTEN = [
    *PRINCIPALS,
    *[("AWS", "*")] * 6,
    *[("AWS", x) for x in (A, A, B, ANA, ANA, ONE, FAR)],
]


@dataclass(frozen=True)
class ResourceKind:
    """A kind of resource: what it is called, asked, and named in policies."""

    kind: str
    arn: str  # `{account}` is its owner's
    actions: tuple[str, ...]
    inside: tuple[str, ...]  # what can be asked about, appended to the ARN
    written: tuple[str, ...]  # how its own policy names it, likewise; `*` is anything

    def calls(self, account: str) -> list[tuple[str, str]]:
        """Every action on everything in it."""
        here = self.arn.format(account=account)
        return [(a, here + rest) for a in self.actions for rest in self.inside]


_KNOWN = "owner-only" not in PENDING
_OF_OWNER = {
    "kms": ("kms:ScheduleKeyDeletion",) * _KNOWN,
    "s3": ("s3:PutBucketPolicy",) * _KNOWN,
    "sqs": ("sqs:SetQueueAttributes",) * _KNOWN,
}
_OBJECT = ("s3:GetObject", "s3:PutObject")
THINGS = [
    ResourceKind(
        "s3:bucket",
        BUCKET,
        ("s3:ListBucket", *_OF_OWNER["s3"]),
        ("",),
        ("", "*", "/*"),
    ),
    ResourceKind(
        "s3:bucket",
        BUCKET,
        _OBJECT,
        ("/a", "/ana"),
        ("/*", "/?", "/${aws:username}", "", "*", "/*"),
    ),
    ResourceKind(
        "s3:accesspoint",
        "arn:aws:s3:us-east-1:{account}:accesspoint/door",
        _OBJECT,
        ("/object/a",),
        ("/object/*", "/*", "/object/?", "", "*"),
    ),
    ResourceKind(
        "s3:accesspoint",
        "arn:aws:s3:us-east-1:{account}:accesspoint/door",
        ("s3:ListBucket",),
        ("",),
        ("", "*"),
    ),
    ResourceKind(
        "kms:key",
        "arn:aws:kms:us-east-1:{account}:key/k",
        ("kms:Decrypt", "kms:CreateGrant", "kms:RetireGrant", *_OF_OWNER["kms"]),
        ("",),
        ("*",),
    ),
    ResourceKind(
        "sqs:queue",
        "arn:aws:sqs:us-east-1:{account}:q",
        ("sqs:SendMessage", *_OF_OWNER["sqs"]),
        ("",),
        ("", "*"),
    ),
    ResourceKind(
        "sns:topic",
        "arn:aws:sns:us-east-1:{account}:t",
        ("sns:Publish",),
        ("",),
        ("",),
    ),
    ResourceKind(
        "lambda:function",
        "arn:aws:lambda:us-east-1:{account}:function:f",
        ("lambda:InvokeFunction",),
        ("", ":live"),
        ("", ":live", ":*"),
    ),
    ResourceKind(
        "lambda:function",
        "arn:aws:lambda:us-east-1:{account}:function:f:live",
        ("lambda:InvokeFunction",),
        ("",),
        ("", "*"),
    ),
    ResourceKind(
        "secretsmanager:secret",
        "arn:aws:secretsmanager:us-east-1:{account}:secret:s-AbCdEf",
        ("secretsmanager:GetSecretValue",),
        ("",),
        ("", "*"),
    ),
    ResourceKind(
        "ecr:repository",
        "arn:aws:ecr:us-east-1:{account}:repository/r",
        ("ecr:BatchGetImage",),
        ("",),
        (),
    ),
]
PLAIN = [
    ("ec2:TerminateInstances", f"arn:aws:ec2:us-east-1:{A}:instance/i"),
    ("ec2:TerminateInstances", f"arn:aws:ec2:us-east-1:{B}:instance/i"),
    ("s3:ListAllMyBuckets", "*"),
    ("sts:GetCallerIdentity", "*"),
    *([] if "get-session-token" in PENDING else [("sts:GetSessionToken", "*")]),
    ("iam:CreateAccessKey", ANA),
    ("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ("sts:AssumeRole", role("nowhere")),
    ("s3:ListBucket", f"{BUCKET}/a"),
    ("s3:GetObject", f"arn:aws:s3:us-east-1:{A}:accesspoint/unknown/object/a"),
]

# Callers of every kind, with one statement that lets them in wholly.
WELCOME = [("AWS", "*")] * 3 + [("AWS", x) for x in (A, B, C, ANA, ONE, FAR, OUTSIDER)]
WELCOME += [("Service", SERVICE)] * 2

_root = ("AWS", f"arn:aws:iam::{A}:root")
_named = st.one_of(
    st.lists(st.sampled_from(OFTEN), min_size=1, max_size=2),
    # Whom an account, too, stands for: themselves, or only as one of many?
    st.sampled_from([[("AWS", x), y] for x in (ANA, ONE) for y in (("AWS", A), _root)]),
)
_MOSTLY_ALLOW = [PolicyEffect.ALLOW] * 6 + [PolicyEffect.DENY]
_MOSTLY_DENY = [PolicyEffect.DENY, PolicyEffect.DENY, PolicyEffect.ALLOW]
_tenth, _twentieth = st.integers(0, 9), st.integers(0, 19)


@st.composite
def own_statements(
    draw: st.DrawFn,
    actions: Sequence[str],
    patterns: Sequence[str],
    mix: Mix = EVEN,
) -> Statement:
    """A statement of a resource's own policy; of a trust policy, without patterns."""
    named = tuple(draw(_named))
    turned, chance = draw_share(draw, mix.spelled), draw(_tenth)
    effect = pick(draw, _MOSTLY_DENY if turned else _MOSTLY_ALLOW)
    service = actions[0].partition(":")[0]
    written = pick(draw, [actions[0], f"{service}:*", "*", actions[-1]])
    on = (pick(draw, patterns),) if patterns else ()
    return Statement(
        sid=pick(draw, "abc"),
        effect=effect,
        actions=() if chance == 9 else (written,),
        not_actions=(actions[0],) if chance == 9 else (),
        resources=() if chance == 8 else on,
        not_resources=on if chance == 8 else (),
        principals=() if turned else named,
        not_principals=named if turned else (),
        conditions=draw(lines(mix.lines)),
    )


def open_to(principal: tuple[str, str], patterns: Sequence[str]) -> Statement:
    """Allow somebody everything, whatever else."""
    on = tuple(sorted(set(patterns)))
    return Statement(
        "open", PolicyEffect.ALLOW, ("*",), (), on, (), (principal,), (), conditions=()
    )


def _allow(sid: str, action: str, principal: tuple[str, str]) -> Statement:
    who, nobody = (principal,), ()
    return Statement(
        sid, PolicyEffect.ALLOW, (action,), (), ("*",), (), who, nobody, conditions=()
    )


def grants_of_keys(draw: st.DrawFn, key: str) -> Statement:
    """One KMS grant, as a statement."""
    grantee = pick(draw, [("AWS", ONE), ("AWS", FAR), ("Service", SERVICE)])
    action = pick(draw, ["kms:Decrypt", "kms:RetireGrant"])
    when = draw(lines(""))
    return Statement(
        "g", PolicyEffect.ALLOW, (action,), (), (key,), (), (grantee,), (), when
    )


def things(
    draw: st.DrawFn, build: AccountBuilder, mix: Mix = EVEN
) -> list[tuple[str, str]]:
    """Put one thing and its policy into the facts; give the calls to ask about it."""
    kinds = [t for t in THINGS if not mix.kinds or t.kind in mix.kinds]
    thing = pick(draw, kinds)
    account = pick(draw, [A, A, B])
    arn = thing.arn.format(account=account)
    if thing.kind == "s3:bucket":
        buckets(draw, build, thing, account, mix)
    elif thing.kind == "s3:accesspoint":
        owner = pick(draw, [account, account, A, B])
        buckets(draw, build, THINGS[1], owner, mix)
        vpc = pick(draw, ["", "", "", "vpc-1"])
        build.resource(arn, thing.kind, account, behind=BUCKET, network=vpc)
        if draw_share(draw, mix.block - 1):
            build.block(arn)
        policies(draw, build, thing, arn, mix)
    else:
        build.resource(arn, thing.kind, account, tags=draw(some_tags))
        policies(draw, build, thing, arn, mix)
    if thing.kind == "kms:key" and draw(_tenth) > 6:
        build.policy(arn, "resource", grants_of_keys(draw, arn), policy=f"{arn}#grants")
    return thing.calls(account)


_RED, WILD = (("team", "red"),), (("team", "r*d"),)
some_tags = st.sampled_from([(), (), _RED, _RED, WILD, WILD])


def buckets(
    draw: st.DrawFn, build: AccountBuilder, thing: ResourceKind, account: str, mix: Mix
) -> None:
    """Put the bucket into the facts: its owner may be unknown, a block may stand."""
    known = account if draw(_tenth) < 8 else ""
    build.resource(BUCKET, "s3:bucket", known, tags=draw(some_tags))
    if draw_share(draw, mix.block):
        place, restrict = pick(draw, [BUCKET, account]), draw_share(draw, 8)
        build.block(place, restrict=restrict)
    policies(draw, build, thing, BUCKET, mix)


def policies(
    draw: st.DrawFn, build: AccountBuilder, thing: ResourceKind, arn: str, mix: Mix
) -> None:
    """The policy of a thing: collected, empty, set aside in part, or not collected."""
    chance = draw(_twentieth)
    if chance == 0:
        return
    if thing.kind == "kms:key" and chance < 13:
        account = arn.split(":")[4]
        root = ("AWS", f"arn:aws:iam::{account}:root")
        first = [_allow("root", "kms:*", root)]
    else:
        first = []
    patterns = [p if p == "*" else arn + p for p in thing.written]
    said = some(draw, 0, 2, lambda: draw(own_statements(thing.actions, patterns, mix)))
    if thing.kind.startswith("s3:") and draw_share(draw, mix.pinned):
        line = pick(draw, PINNING)
        said.append(replace(open_to(("AWS", "*"), patterns), conditions=(line,)))
    elif draw_share(draw, 7):
        said.append(open_to(pick(draw, WELCOME), patterns))
    if chance == 1:
        build.policy(arn, "resource")
    elif chance > 2:
        unread = ["lost"] if chance == 3 else []
        build.policy(arn, "resource", *first, *said, unread=unread)
    elif chance == 2:
        build.policy(arn, "resource", collected=False)
