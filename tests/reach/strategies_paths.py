"""Hypothesis strategies for accounts with escalation paths."""

from collections.abc import Sequence

from hypothesis import strategies as st

from answerable.model.policy import Statement
from answerable.model.sighting import SightedFacts
from tests.reach.account_builder import A, AccountBuilder, role, statement, user
from tests.reach.draw_helpers import pick
from tests.reach.pending_reference import PENDING
from tests.reach.strategies import GROUP, MANAGED

ANA, BEN, ONE = user("ana"), user("ben"), role("one")
OWN, ADMINS = f"arn:aws:iam::{A}:group/own", f"arn:aws:iam::{A}:group/admins"
IDP = f"arn:aws:iam::{A}:saml-provider/idp"
BOUND = f"arn:aws:iam::{A}:policy/bound"
FUNCTION = f"arn:aws:lambda:eu-west-1:{A}:function:code"
MACHINE = f"arn:aws:ec2:eu-west-1:{A}:instance/i-1"
RED = ("s3:GetObject", "arn:aws:s3:::red/a")
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
BOUNDED = {"StringEquals": {"iam:PermissionsBoundary": f"arn:aws:iam::{A}:policy/b"}}
_LAMBDA = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
_EC2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}

WAYS = [
    statement("read-red", action="s3:GetObject", resource="arn:aws:s3:::red/*"),
    statement("assume", action="sts:AssumeRole", resource=ONE),
    statement("assume-mfa", action="sts:AssumeRole", resource=ONE, condition=MFA),
    statement("pass", action="iam:PassRole", resource=ONE),
    statement("pass-lambda", action="iam:PassRole", resource="*", condition=_LAMBDA),
    statement("pass-ec2", action="iam:PassRole", resource="*", condition=_EC2),
    statement(
        "run",
        action=["lambda:CreateFunction", "lambda:InvokeFunction"],
        resource=f"arn:aws:lambda:*:{A}:function:dev-*",
    ),
    statement("create", action="lambda:CreateFunction", resource="*"),
    statement("launch", action="ec2:RunInstances", resource="*"),
    statement("key", action="iam:CreateAccessKey", resource=BEN),
    statement("trust", action="iam:UpdateAssumeRolePolicy", resource=ONE),
    statement("put", action="iam:PutUserPolicy", resource=ANA),
    statement("put-role", action="iam:PutRolePolicy", resource=ONE),
    statement("attach-ben", action="iam:AttachUserPolicy", resource=BEN),
    statement("version", action="iam:CreatePolicyVersion", resource=MANAGED),
    statement("older", action="iam:SetDefaultPolicyVersion", resource=MANAGED),
    statement("join", action="iam:AddUserToGroup", resource=GROUP),
    statement("group", action="iam:PutGroupPolicy", resource=GROUP),
    statement("join-empty", action="iam:AddUserToGroup", resource=ADMINS),
    statement("group-own", action="iam:PutGroupPolicy", resource=OWN),
    statement("group-attach", action="iam:AttachGroupPolicy", resource=OWN),
    statement("unbound", action="iam:DeleteUserPermissionsBoundary", resource=ANA),
    statement("unbound-any", action="iam:Delete*PermissionsBoundary", resource="*"),
    statement("rebound", action="iam:PutUserPermissionsBoundary", resource=BEN),
    statement("bounds-version", action="iam:CreatePolicyVersion", resource=BOUND),
    statement(
        "images",
        action="ec2:RunInstances",
        not_resource=["arn:aws:ec2:*:*:instance/*", "arn:aws:ec2:*::image/ami-1*"],
    ),
    statement("instances", action="ec2:*", resource="arn:aws:ec2:*:*:instance/*"),
    statement("code", action="lambda:UpdateFunctionCode", resource=FUNCTION),
    statement("invoke", action="lambda:InvokeFunction", resource=f"{FUNCTION[:-4]}*"),
    statement("role-of-code", action="lambda:Update*", resource="*", condition=MFA),
    statement("send", action="ssm:SendCommand", resource=MACHINE),
    statement(
        "document",
        action="ssm:SendCommand",
        resource="arn:aws:ssm:*::document/AWS-*",
    ),
    statement("session", action="ssm:StartSession", resource="arn:aws:ec2:*:*:*"),
    statement("make-role", action="iam:CreateRole", resource=role("dev-*")),
    statement("make-any", action="iam:Create*", resource="*", condition=BOUNDED),
    statement("make-user", action="iam:CreateUser", resource=user("x/*-dev")),
    statement("make-group", action="iam:CreateGroup", resource=f"{GROUP[:-4]}*"),
    statement("give-role", action="iam:AttachRolePolicy", resource=role("*-ops")),
    statement("give-ops", action="iam:AttachRolePolicy", resource=role("ops-*")),
    statement("give-roles", action="iam:PutRolePolicy", resource=role("*")),
    statement("give-user", action="iam:PutUserPolicy", resource=user("x/dev-*")),
    statement("give-group", action="iam:*GroupPolicy", resource=f"{GROUP[:-4]}b*"),
    statement("add", action="iam:AddUserToGroup", resource=f"{GROUP[:-4]}*"),
    statement("keys", action="iam:CreateAccessKey", resource=user("*dev")),
    statement("pass-new", action="iam:PassRole", resource=role("dev-x*")),
]
# Ways to a role that trusts an identity provider; drawn with others that fit.
PROVIDED = [
    statement("saml", action="iam:UpdateSAMLProvider", resource=IDP),
    statement("saml-other", action="iam:UpdateSAML*", resource=f"{IDP}-*"),
    statement("saml-mfa", action="iam:UpdateSAML*", resource="*", condition=MFA),
    statement("pool", action="cognito-identity:*", resource="*"),
    statement("pool-roles", action="cognito-identity:SetIdentity*", resource="*"),
]
# Together these make somebody; alone they rarely do.
PAIRS = [
    ("unbound", "read-red"),
    ("unbound-any", "put"),
    ("unbound-any", "put-role", "assume"),
    ("unbound-any", "key"),
    ("rebound", "key", "attach-ben"),
    ("bounds-version", "put"),
    ("unbound", "join"),
    ("make-role", "give-roles"),
    ("make-role", "give-role"),
    ("make-any", "give-roles"),
    ("make-role", "give-roles", "pass-new", "run"),
    ("make-user", "give-user", "keys"),
    ("make-group", "give-group", "add"),
    ("code", "invoke"),
    ("send", "document"),
    ("images", "instances", "pass"),
    ("pass", "role-of-code", "invoke"),
    ("pass", "pool", "saml"),
    ("pass", "pool-roles", "saml-mfa", "saml-other"),
]
LIMITS = [
    statement("no-assume", effect="Deny", action="sts:*", resource="*"),
    statement("no-run", effect="Deny", action="lambda:Invoke*", resource="*"),
    statement("no-iam", effect="Deny", action="iam:Put*", resource="*", condition=MFA),
    statement("no-make", effect="Deny", action="iam:*", resource=role("dev-a*")),
    statement("no-s3", effect="Deny", action="s3:*", resource="*"),
]
BOUNDS = [
    statement("edits", action=["iam:Delete*", "iam:Create*", "iam:Put*"], resource="*"),
    statement("narrow", action=["iam:Put*Policy", "sts:*"], resource="*"),
    statement("iam", action=["iam:*", "sts:*", "lambda:*"], resource="*"),
    statement("all", action="*", resource="*"),
]
TRUSTS = [
    {"Service": "lambda.amazonaws.com"},
    {"Service": "ec2.amazonaws.com"},
    {"AWS": A},
    {"AWS": ANA},
    {"AWS": BEN},
]
FEDERATED = [
    {"Federated": IDP},
    {"Federated": "cognito-identity.amazonaws.com"},
    {"AWS": ANA},
]
ENTERING = [
    "sts:AssumeRole",
    ["sts:AssumeRoleWithSAML", "sts:TagSession"],
    "sts:AssumeRole*",
    "sts:AssumeRoleWithWebIdentity",
]
READ = statement("read", action="s3:GetObject", resource="arn:aws:s3:::red/*")

_BY_SID = {way.sid: way for way in (*WAYS, *PROVIDED)}
_few = st.lists(st.sampled_from(WAYS), min_size=1, max_size=4, unique=True)
_more = st.lists(st.sampled_from(WAYS), max_size=2, unique=True)
_limits = st.one_of(st.just([]), st.lists(st.sampled_from(LIMITS), max_size=1))
_coin = st.booleans()
_BOUNDED: list[tuple[str, ...]] = [(), (), (ANA,), (ANA, BEN), (BEN, ONE)]

_GROUPED = {"join-empty", "group-own", "group-attach"}
_MEMBERS: list[tuple[str, ...]] = [(), (ANA,), (ANA, BEN)]


@st.composite
def ways_of_one(draw: st.DrawFn, wanted: Sequence[str] = ()) -> list[Statement]:
    """A few ways, those wanted among them; often such as lead somewhere together."""
    if not wanted and draw(_coin):
        return draw(_few)
    chosen = dict.fromkeys(wanted or pick(draw, PAIRS))
    more = draw(_more)
    return [
        *(_BY_SID[sid] for sid in chosen),
        *(w for w in more if w.sid not in chosen),
    ]


def _has_groups(wanted: Sequence[str]) -> bool:
    """Return whether groups without policies or members may take part in a case."""
    chosen = not wanted or not _GROUPED.isdisjoint(wanted)
    return chosen and "groups" not in PENDING


@st.composite
def paths(
    draw: st.DrawFn, wanted: Sequence[str] = ()
) -> tuple[SightedFacts, tuple[str, str]]:
    """One user with a few ways, those wanted among them, and what they lead to."""
    build = AccountBuilder()
    for arn in (ANA, BEN, ONE):
        build.identity(arn)
    ways = draw(ways_of_one(wanted))
    limits = draw(_limits)
    build.policy(ANA, "identity", *ways, *limits)
    for arn in pick(draw, _BOUNDED):
        named = pick(draw, ["", BOUND])
        if not named or not any(policy.id == BOUND for policy in build.policies):
            build.policy(arn, "boundary", pick(draw, BOUNDS), policy=named)
    build.policy(pick(draw, [ANA, BEN]), "identity", policy=MANAGED)
    build.policy(BEN, "identity", pick(draw, [READ, *WAYS]))
    build.policy(ONE, "identity", pick(draw, [READ, READ, *WAYS]))
    provided = any(way in PROVIDED for way in ways)
    trusted = pick(draw, FEDERATED if provided else TRUSTS)
    condition = pick(draw, [None, None, MFA])
    action = pick(draw, ENTERING) if "Federated" in trusted else ENTERING[0]
    trust = statement("t", action=action, principal=trusted, condition=condition)
    build.policy(ONE, "trust", trust)
    build.policy(BEN, "identity", READ, policy=f"{GROUP}#inline/g", via=GROUP)
    if draw(_coin):
        build.resource(FUNCTION, "lambda:function", runs_as=ONE)
        build.resource(MACHINE, "ec2:instance", runs_as=ONE)
    if _has_groups(wanted) and draw(_coin):
        build.group(OWN, *pick(draw, _MEMBERS))
        build.group(ADMINS)
        build.policy(ADMINS, "identity", READ)
    return build.facts(), RED
