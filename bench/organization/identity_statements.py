"""Generator of identity policy statements: some thirty templates."""

from collections.abc import Callable, Sequence

from answerable.model.policy import Statement
from bench.organization.policy_syntax import (
    allow,
    allow_all_but,
    deny,
    deny_all_but,
    deny_elsewhere,
    when,
)
from bench.organization.resources import Things
from bench.organization.structure import TOOLING, Plan, Team

Shape = Callable[["Author", Team], Statement]
_POPULAR = [
    "s3",
    "ec2",
    "lambda",
    "logs",
    "dynamodb",
    "sqs",
    "sns",
    "kms",
    "secretsmanager",
    "ecr",
    "cloudwatch",
    "iam",
    "sts",
    "ssm",
    "events",
    "states",
    "glue",
    "athena",
    "bedrock",
    "sagemaker",
    "ecs",
    "rds",
    "kinesis",
    "firehose",
    "apigateway",
    "cloudformation",
    "elasticloadbalancing",
    "autoscaling",
    "route53",
    "codebuild",
    "codepipeline",
    "batch",
    "elasticfilesystem",
    "es",
    "opensearch",
    "redshift",
    "cognito-idp",
    "xray",
    "eks",
]
_WRITES = {
    "s3:bucket": ("s3:GetObject", "s3:PutObject", "s3:DeleteObject", "s3:ListBucket"),
    "sqs:queue": ("sqs:SendMessage", "sqs:ReceiveMessage", "sqs:DeleteMessage"),
    "sns:topic": ("sns:Publish", "sns:Subscribe", "sns:ListTagsForResource"),
    "lambda:function": ("lambda:InvokeFunction", "lambda:GetFunction"),
    "secretsmanager:secret": (
        "secretsmanager:GetSecretValue",
        "secretsmanager:DescribeSecret",
    ),
    "dynamodb:table": (
        "dynamodb:GetItem",
        "dynamodb:PutItem",
        "dynamodb:Query",
        "dynamodb:UpdateItem",
        "dynamodb:BatchWriteItem",
    ),
    "kms:key": ("kms:Decrypt", "kms:Encrypt", "kms:GenerateDataKey"),
    "ecr:repository": ("ecr:BatchGetImage", "ecr:PutImage", "ecr:DescribeImages"),
    "ssm:parameter": ("ssm:GetParameter", "ssm:GetParameters", "ssm:PutParameter"),
}
_SERVICES_PASSED = ("lambda", "ec2", "ecs-tasks", "glue", "states", "sagemaker")


class Author:
    """Writer of statements for the identities of a plan."""

    def __init__(self, plan: Plan, things: Things) -> None:
        self.plan = plan
        self.things = things
        popular = [name for name in _POPULAR if name in plan.catalogue.services]
        rest = sorted(
            name
            for name, entry in plan.catalogue.services.items()
            if entry.actions and name not in popular
        )
        self.services = popular * 8 + rest
        self.actions = {
            name: sorted(a.name for a in plan.catalogue.services[name].actions.values())
            for name in dict.fromkeys(self.services)
        }
        shapes, shares = zip(*_SHAPES, strict=True)
        self._shapes: Sequence[Shape] = shapes
        self._shares: Sequence[float] = shares

    def some(self, team: Team, least: int, most: int) -> tuple[Statement, ...]:
        """Write the statements of one policy."""
        count = self.plan.random.randint(least, most)
        shapes = self.plan.random.choices(self._shapes, self._shares, k=count)
        return tuple(shape(self, team) for shape in shapes)

    def names(self, service: str, most: int) -> tuple[str, ...]:
        """Choose actions of a service, sometimes as a pattern."""
        pick = self.plan.random
        known = self.actions[service]
        if self.plan.chance(0.12):
            return (f"{service}:*",)
        if self.plan.chance(0.25):
            verbs = pick.sample(("Get", "List", "Describe", "Put", "Create"), 2)
            return tuple(f"{service}:{verb}*" for verb in sorted(verbs))
        count = min(len(known), pick.randint(1, most))
        return tuple(f"{service}:{name}" for name in sorted(pick.sample(known, count)))

    def place(self, service: str, team: Team) -> str:
        """Write a resource pattern of the team, of a type of the service."""
        types = self.plan.catalogue.services[service].resource_types
        if not types or self.plan.chance(0.4):
            return "*"
        parts = types[self.plan.one(sorted(types))].arn.split(":", 5)
        if len(parts) != 6:
            return "*"
        parts[1] = "aws"
        parts[3] = self.plan.one((team.region, "*")) if parts[3] else ""
        parts[4] = team.account if parts[4] else ""
        before, star, _ = parts[5].partition("*")
        parts[5] = f"{before}{team.name}-*" if star else parts[5]
        return ":".join(parts)


def _own(author: Author, team: Team) -> Statement:
    """Grant work on one named resource of the team."""
    kind = author.plan.one(sorted(_WRITES))
    names = author.things.of(team, kind) or ("*",)
    arn = author.plan.one(names)
    actions = _WRITES[kind]
    count = author.plan.random.randint(1, len(actions))
    both = (arn, f"{arn}/*") if kind == "s3:bucket" else (arn,)
    return allow(actions[:count], both)


def _ours(author: Author, team: Team) -> Statement:
    """Grant work on all resources of one kind with the team's prefix."""
    kind = author.plan.one(sorted(_WRITES))
    service = kind.partition(":")[0]
    names = author.things.of(team, kind)
    if not names or kind == "kms:key":
        return allow(_WRITES[kind], f"arn:aws:{service}:*:{team.account}:*")
    head = names[0][: names[0].index(team.name)]
    return allow(_WRITES[kind], f"{head}{team.name}*")


def _any_service(author: Author, team: Team) -> Statement:
    service = author.plan.one(author.services)
    return allow(author.names(service, 8), author.place(service, team))


def _read(author: Author, team: Team) -> Statement:
    service = author.plan.one(author.services)
    return allow((f"{service}:Get*", f"{service}:List*", f"{service}:Describe*"), "*")


def _logs(author: Author, team: Team) -> Statement:
    group = f"arn:aws:logs:{team.region}:{team.account}:log-group:/{team.name}/*"
    return allow(("logs:CreateLogStream", "logs:PutLogEvents"), group)


def _tagged(author: Author, team: Team) -> Statement:
    actions = ("ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances")
    tag = when("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}")
    return allow(actions, f"arn:aws:ec2:*:{team.account}:instance/*", tag)


def _tagging(author: Author, team: Team) -> Statement:
    keys = when("ForAllValues:StringEquals", "aws:TagKeys", "team", "stage")
    tag = when("StringEquals", "aws:RequestTag/team", team.name)
    return allow(("ec2:CreateTags", "ec2:RunInstances"), "*", keys, tag)


def _home(author: Author, team: Team) -> Statement:
    arn = author.plan.one(author.things.of(team, "s3:bucket") or ("arn:aws:s3:::b",))
    return allow(("s3:GetObject", "s3:PutObject"), f"{arn}/home/${{aws:username}}/*")


def _prefix(author: Author, team: Team) -> Statement:
    arn = author.plan.one(author.things.of(team, "s3:bucket") or ("arn:aws:s3:::b",))
    below = when("StringLike", "s3:prefix", "jobs/*", "${aws:PrincipalTag/team, 'x'}/*")
    return allow("s3:ListBucket", arn, below)


def _leading(author: Author, team: Team) -> Statement:
    arn = f"arn:aws:dynamodb:{team.region}:{team.account}:table/{team.name}-*"
    mine = when("ForAllValues:StringLike", "dynamodb:LeadingKeys", "${aws:userid}*")
    return allow(("dynamodb:GetItem", "dynamodb:Query"), arn, mine)


def _decrypt(author: Author, team: Team) -> Statement:
    via = when("StringLike", "kms:ViaService", "s3.*.amazonaws.com")
    keys = f"arn:aws:kms:{team.region}:{team.account}:key/*"
    return allow(("kms:Decrypt", "kms:GenerateDataKey"), keys, via)


def _region(author: Author, team: Team) -> Statement:
    service = author.plan.one(author.services)
    here = when("StringEquals", "aws:RequestedRegion", team.region)
    return allow(author.names(service, 12), "*", here)


def _network(author: Author, team: Team) -> Statement:
    service = author.plan.one(author.services)
    office = when("IpAddress", "aws:SourceIp", "203.0.113.0/24", "198.51.100.0/25")
    return allow(author.names(service, 6), author.place(service, team), office)


def _until(author: Author, team: Team) -> Statement:
    service = author.plan.one(author.services)
    end = when("DateLessThan", "aws:CurrentTime", "2027-01-31T00:00:00Z")
    return allow(author.names(service, 6), author.place(service, team), end)


def _assume(author: Author, team: Team) -> Statement:
    """Grant sts:AssumeRole: mostly the team's roles, sometimes any."""
    pick = author.plan.random.random()
    if pick < 0.5:
        role = f"arn:aws:iam::{team.account}:role/{team.name}/*"
    elif pick < 0.62:
        other = author.plan.random.choice(author.plan.teams)
        role = f"arn:aws:iam::*:role/{other.name}/*"
    elif pick < 0.7 or team.account == TOOLING:
        role = "arn:aws:iam::*:role/deploy/*"
    elif pick < 0.97:
        role = f"arn:aws:iam::{team.account}:role/*"
    else:
        role = "*"
    return allow("sts:AssumeRole", role)


def _pass(author: Author, team: Team) -> Statement:
    name = author.plan.one(_SERVICES_PASSED)
    to = when("StringEquals", "iam:PassedToService", f"{name}.amazonaws.com")
    conditions = (to,) if author.plan.chance(0.7) else ()
    ours = f"arn:aws:iam::{team.account}:role/{team.name}/*"
    role = "*" if author.plan.chance(0.3) else ours
    return allow("iam:PassRole", role, *conditions)


_LAUNCHES = (
    ("lambda:CreateFunction", "lambda:InvokeFunction"),
    ("ec2:RunInstances",),
    ("ecs:RegisterTaskDefinition", "ecs:RunTask"),
    ("glue:CreateJob", "glue:StartJobRun"),
    ("codebuild:CreateProject", "codebuild:StartBuild"),
    (
        "sagemaker:CreateNotebookInstance",
        "sagemaker:CreatePresignedNotebookInstanceUrl",
    ),
)


def _launch(author: Author, team: Team) -> Statement:
    """Grant the launch of compute that runs as a passed role."""
    actions = author.plan.random.choice(_LAUNCHES)
    if actions[0].startswith("lambda:") and author.plan.chance(0.7):
        arn = f"arn:aws:lambda:{team.region}:{team.account}:function:{team.name}-*"
        return allow(actions, arn)
    return allow(actions, "*")


def _keys(author: Author, team: Team) -> Statement:
    self_only = "arn:aws:iam::*:user/${aws:username}"
    mfa = when("Bool", "aws:MultiFactorAuthPresent", "true")
    return allow(("iam:CreateAccessKey", "iam:ListAccessKeys"), self_only, mfa)


def _manage(author: Author, team: Team) -> Statement:
    roles = f"arn:aws:iam::{team.account}:role/{team.name}/*"
    actions = (
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:UpdateAssumeRolePolicy",
    )
    bound = when(
        "StringEquals",
        "iam:PermissionsBoundary",
        f"arn:aws:iam::{team.account}:policy/boundary-0",
    )
    return allow(actions, roles, *((bound,) if author.plan.chance(0.6) else ()))


def _no_deletes(author: Author, team: Team) -> Statement:
    return deny(("s3:Delete*", "dynamodb:DeleteTable", "kms:ScheduleKeyDeletion"))


def _no_iam(author: Author, team: Team) -> Statement:
    return deny(("iam:*", "organizations:*", "account:*"))


def _mfa(author: Author, team: Team) -> Statement:
    absent = when("BoolIfExists", "aws:MultiFactorAuthPresent", "false")
    return deny_all_but(("iam:ListMFADevices", "sts:GetSessionToken"), absent)


def _restricted(author: Author, team: Team) -> Statement:
    tag = when("StringEquals", "aws:ResourceTag/class", "restricted")
    mine = when("StringNotEquals", "aws:PrincipalTag/clearance", "high")
    return deny(("dynamodb:*", "secretsmanager:*", "kms:Decrypt"), "*", tag, mine)


def _elsewhere(author: Author, team: Team) -> Statement:
    head = f"arn:aws:s3:::{team.name}-*"
    return deny_elsewhere(("s3:PutObject", "s3:PutObjectAcl"), head)


def _no_network(author: Author, team: Team) -> Statement:
    away = when("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")
    service = when("BoolIfExists", "aws:ViaAWSService", "false")
    return deny("*", "*", away, service)


def _agents(author: Author, team: Team) -> Statement:
    models = f"arn:aws:bedrock:{team.region}::foundation-model/*"
    return allow(("bedrock:InvokeModel", "bedrock:Converse"), models)


def _interpret(author: Author, team: Team) -> Statement:
    actions = (
        "bedrock-agentcore:CreateCodeInterpreter",
        "bedrock-agentcore:StartCodeInterpreterSession",
        "bedrock-agentcore:InvokeCodeInterpreter",
    )
    return allow(actions, "*")


def _power(author: Author, team: Team) -> Statement:
    return allow_all_but(("iam:*", "organizations:*", "account:*", "s3:*", "sts:*"))


_SHAPES: tuple[tuple[Shape, float], ...] = (
    (_own, 22),
    (_ours, 12),
    (_any_service, 26),
    (_read, 6),
    (_logs, 6),
    (_tagged, 2),
    (_tagging, 1.5),
    (_home, 1.5),
    (_prefix, 2),
    (_leading, 1.5),
    (_decrypt, 3),
    (_region, 4),
    (_network, 2),
    (_until, 1),
    (_assume, 8),
    (_pass, 4),
    (_launch, 4),
    (_keys, 0.8),
    (_manage, 0.4),
    (_no_deletes, 1.5),
    (_no_iam, 1.2),
    (_mfa, 0.8),
    (_restricted, 1.2),
    (_elsewhere, 0.8),
    (_no_network, 0.4),
    (_agents, 1.5),
    (_interpret, 0.7),
    (_power, 0.15),
)
