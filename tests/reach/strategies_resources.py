"""Things with policies of their own, and what can be asked about them."""

from collections.abc import Sequence
from dataclasses import dataclass

from hypothesis import strategies as st

from answerable.model.policy import Effect, Statement
from tests.reach.build import A, B, Builder, role, user
from tests.reach.strategies_conditions import some_lines

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
class Thing:
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


_OBJECT = ("s3:GetObject", "s3:PutObject")
THINGS = [
    Thing("s3:bucket", BUCKET, ("s3:ListBucket",), ("",), ("", "*", "/*")),
    Thing(
        "s3:bucket",
        BUCKET,
        _OBJECT,
        ("/a", "/ana"),
        ("/*", "/?", "/${aws:username}", "", "*", "/*"),
    ),
    Thing(
        "s3:accesspoint",
        "arn:aws:s3:us-east-1:{account}:accesspoint/door",
        _OBJECT,
        ("/object/a",),
        ("/object/*", "/*", "/object/?", "", "*"),
    ),
    Thing(
        "s3:accesspoint",
        "arn:aws:s3:us-east-1:{account}:accesspoint/door",
        ("s3:ListBucket",),
        ("",),
        ("", "*"),
    ),
    Thing(
        "kms:key",
        "arn:aws:kms:us-east-1:{account}:key/k",
        ("kms:Decrypt", "kms:CreateGrant", "kms:RetireGrant"),
        ("",),
        ("*",),
    ),
    Thing(
        "sqs:queue",
        "arn:aws:sqs:us-east-1:{account}:q",
        ("sqs:SendMessage",),
        ("",),
        ("", "*"),
    ),
    Thing(
        "sns:topic",
        "arn:aws:sns:us-east-1:{account}:t",
        ("sns:Publish",),
        ("",),
        ("",),
    ),
    Thing(
        "lambda:function",
        "arn:aws:lambda:us-east-1:{account}:function:f",
        ("lambda:InvokeFunction",),
        ("", ":live"),
        ("", ":live", ":*"),
    ),
    Thing(
        "lambda:function",
        "arn:aws:lambda:us-east-1:{account}:function:f:live",
        ("lambda:InvokeFunction",),
        ("",),
        ("", "*"),
    ),
    Thing(
        "secretsmanager:secret",
        "arn:aws:secretsmanager:us-east-1:{account}:secret:s-AbCdEf",
        ("secretsmanager:GetSecretValue",),
        ("",),
        ("", "*"),
    ),
    Thing(
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
    ("iam:CreateAccessKey", ANA),
    ("iam:GetPolicy", "arn:aws:iam::aws:policy/ReadOnlyAccess"),
    ("sts:AssumeRole", role("nowhere")),
    ("s3:ListBucket", f"{BUCKET}/a"),
    ("s3:GetObject", f"arn:aws:s3:us-east-1:{A}:accesspoint/unknown/object/a"),
]

# Callers of every kind, with one statement that lets them in wholly.
WELCOME = [("AWS", "*")] * 3 + [("AWS", x) for x in (A, B, C, ANA, ONE, FAR, OUTSIDER)]
WELCOME += [("Service", SERVICE)] * 2

_named = st.lists(st.sampled_from(OFTEN), min_size=1, max_size=3)
effects = st.sampled_from([Effect.ALLOW] * 4 + [Effect.DENY])
_tenth = st.integers(0, 9)
_sid = st.sampled_from("abc")


@st.composite
def own_statements(
    draw: st.DrawFn, actions: Sequence[str], patterns: Sequence[str]
) -> Statement:
    """A statement of a resource's own policy; of a trust policy, without patterns."""
    named = tuple(draw(_named))
    turned, chance = draw(_tenth), draw(_tenth)
    service = actions[0].partition(":")[0]
    written = draw(st.sampled_from([actions[0], f"{service}:*", "*", actions[-1]]))
    on = (draw(st.sampled_from(patterns)),) if patterns else ()
    return Statement(
        sid=draw(_sid),
        effect=draw(effects),
        actions=() if chance == 9 else (written,),
        not_actions=(actions[0],) if chance == 9 else (),
        resources=() if chance == 8 else on,
        not_resources=on if chance == 8 else (),
        principals=() if turned == 9 else named,
        not_principals=named if turned == 9 else (),
        conditions=draw(some_lines),
    )


def open_to(principal: tuple[str, str], patterns: Sequence[str]) -> Statement:
    """Allow somebody everything, whatever else."""
    on = tuple(sorted(set(patterns)))
    return Statement(
        "open", Effect.ALLOW, ("*",), (), on, (), (principal,), (), conditions=()
    )


def _allow(sid: str, action: str, principal: tuple[str, str]) -> Statement:
    who, nobody = (principal,), ()
    return Statement(
        sid, Effect.ALLOW, (action,), (), ("*",), (), who, nobody, conditions=()
    )


@st.composite
def grants_of_keys(draw: st.DrawFn, key: str) -> Statement:
    """One KMS grant, as a statement."""
    grantee = draw(st.sampled_from([("AWS", ONE), ("AWS", FAR), ("Service", SERVICE)]))
    action = draw(st.sampled_from(["kms:Decrypt", "kms:RetireGrant"]))
    lines = draw(some_lines)
    return Statement(
        "g", Effect.ALLOW, (action,), (), (key,), (), (grantee,), (), lines
    )


@st.composite
def things(draw: st.DrawFn, build: Builder) -> list[tuple[str, str]]:
    """Put one thing and its policy into the facts; give the calls to ask about it."""
    thing = draw(st.sampled_from(THINGS))
    account = draw(st.sampled_from([A, A, B]))
    arn = thing.arn.format(account=account)
    if thing.kind == "s3:bucket":
        draw(buckets(build, thing, account))
    elif thing.kind == "s3:accesspoint":
        owner = draw(st.sampled_from([account, account, A, B]))
        draw(buckets(build, THINGS[1], owner))
        vpc = draw(st.sampled_from(["", "", "", "vpc-1"]))
        build.resource(arn, thing.kind, account, behind=BUCKET, network=vpc)
        if draw(_tenth) > 7:
            build.block(arn)
        draw(policies(build, thing, arn))
    else:
        build.resource(arn, thing.kind, account, tags=draw(some_tags))
        draw(policies(build, thing, arn))
    if thing.kind == "kms:key" and draw(_tenth) > 6:
        build.policy(arn, "resource", draw(grants_of_keys(arn)), policy=f"{arn}#grants")
    return thing.calls(account)


some_tags = st.sampled_from([(), (), (("team", "red"),), (("team", "r*d"),)])


@st.composite
def buckets(draw: st.DrawFn, build: Builder, thing: Thing, account: str) -> None:
    """Put the bucket into the facts: its owner may be unknown, a block may stand."""
    known = account if draw(_tenth) < 8 else ""
    build.resource(BUCKET, "s3:bucket", known, tags=draw(some_tags))
    chance = draw(_tenth)
    if chance > 6:
        build.block({7: BUCKET, 8: account, 9: BUCKET}[chance], restrict=chance < 9)
    draw(policies(build, thing, BUCKET))


@st.composite
def policies(draw: st.DrawFn, build: Builder, thing: Thing, arn: str) -> None:
    """The policy of a thing: collected, empty, set aside in part, or not collected."""
    chance = draw(st.integers(0, 19))
    if chance == 0:
        return
    if thing.kind == "kms:key" and chance < 13:
        account = arn.split(":")[4]
        root = ("AWS", f"arn:aws:iam::{account}:root")
        first = [_allow("root", "kms:*", root)]
    else:
        first = []
    patterns = [p if p == "*" else arn + p for p in thing.written]
    said = draw(st.lists(own_statements(thing.actions, patterns), max_size=2))
    if draw(_tenth) > 3:
        said.append(open_to(draw(st.sampled_from(WELCOME)), patterns))
    if chance == 1:
        build.policy(arn, "resource")
    elif chance > 2:
        unread = ["lost"] if chance == 3 else []
        build.policy(arn, "resource", *first, *said, unread=unread)
    elif chance == 2:
        build.policy(arn, "resource", collected=False)
