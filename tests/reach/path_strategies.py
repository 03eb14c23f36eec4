"""Accounts in which one user holds little but ways to become somebody else."""

from hypothesis import strategies as st

from answerable.model.sighting import Facts
from tests.reach.build import A, Builder, role, statement, user
from tests.reach.strategies import GROUP, MANAGED

ANA, BEN, ONE = user("ana"), user("ben"), role("one")
RED = ("s3:GetObject", "arn:aws:s3:::red/a")
MFA = {"Bool": {"aws:MultiFactorAuthPresent": "true"}}
_LAMBDA = {"StringEquals": {"iam:PassedToService": "lambda.amazonaws.com"}}
_EC2 = {"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}}

WAYS = [
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
]
LIMITS = [
    statement("no-assume", effect="Deny", action="sts:*", resource="*"),
    statement("no-run", effect="Deny", action="lambda:Invoke*", resource="*"),
    statement("no-iam", effect="Deny", action="iam:Put*", resource="*", condition=MFA),
    statement("no-s3", effect="Deny", action="s3:*", resource="*"),
]
BOUNDS = [
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
READ = statement("read", action="s3:GetObject", resource="arn:aws:s3:::red/*")


@st.composite
def paths(draw: st.DrawFn) -> tuple[Facts, tuple[str, str]]:
    """One user with a few ways, and what they lead to."""
    build = Builder()
    for arn in (ANA, BEN, ONE):
        build.identity(arn)
    ways = draw(st.lists(st.sampled_from(WAYS), min_size=1, max_size=4, unique=True))
    limits = draw(st.one_of(st.just([]), st.lists(st.sampled_from(LIMITS), max_size=1)))
    build.policy(ANA, "identity", *ways, *limits)
    if draw(st.booleans()):
        build.policy(ANA, "boundary", draw(st.sampled_from(BOUNDS)))
    build.policy(draw(st.sampled_from([ANA, BEN])), "identity", policy=MANAGED)
    build.policy(BEN, "identity", draw(st.sampled_from([READ, *WAYS])))
    build.policy(ONE, "identity", draw(st.sampled_from([READ, READ, *WAYS])))
    named = draw(st.sampled_from(TRUSTS))
    condition = draw(st.sampled_from([None, None, MFA]))
    action = "sts:AssumeRole"
    trust = statement("t", action=action, principal=named, condition=condition)
    build.policy(ONE, "trust", trust)
    build.policy(BEN, "identity", READ, policy=f"{GROUP}#inline/g", via=GROUP)
    return build.facts(), RED
