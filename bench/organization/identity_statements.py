"""Generator of identity policy statements: some thirty templates."""

from collections.abc import Callable, Sequence

from answerable.model.policy import Statement
from bench.organization.policy_syntax import (
    allow,
    allow_not_action,
    condition,
    deny,
    deny_not_action,
    deny_not_resource,
)
from bench.organization.resources import OrgResources
from bench.organization.structure import TOOLING, OrganizationPlan, OrgTeam

StatementTemplate = Callable[["StatementAuthor", OrgTeam], Statement]
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


class StatementAuthor:
    """Writer of statements for the identities of a plan."""

    def __init__(self, plan: OrganizationPlan, things: OrgResources) -> None:
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
        shapes, shares = zip(*_TEMPLATES, strict=True)
        self._shapes: Sequence[StatementTemplate] = shapes
        self._shares: Sequence[float] = shares

    def write_statements(
        self, team: OrgTeam, least: int, most: int
    ) -> tuple[Statement, ...]:
        """Write the statements of one policy."""
        count = self.plan.random.randint(least, most)
        shapes = self.plan.random.choices(self._shapes, self._shares, k=count)
        return tuple(shape(self, team) for shape in shapes)

    def choose_actions(self, service: str, most: int) -> tuple[str, ...]:
        """Choose actions of a service, sometimes as a pattern."""
        pick = self.plan.random
        known = self.actions[service]
        if self.plan.draw(0.12):
            return (f"{service}:*",)
        if self.plan.draw(0.25):
            verbs = pick.sample(("Get", "List", "Describe", "Put", "Create"), 2)
            return tuple(f"{service}:{verb}*" for verb in sorted(verbs))
        count = min(len(known), pick.randint(1, most))
        return tuple(f"{service}:{name}" for name in sorted(pick.sample(known, count)))

    def choose_resource(self, service: str, team: OrgTeam) -> str:
        """Write a resource pattern of the team, of a type of the service."""
        types = self.plan.catalogue.services[service].resource_types
        if not types or self.plan.draw(0.4):
            return "*"
        parts = types[self.plan.choose(sorted(types))].arn.split(":", 5)
        if len(parts) != 6:
            return "*"
        parts[1] = "aws"
        parts[3] = self.plan.choose((team.region, "*")) if parts[3] else ""
        parts[4] = team.account if parts[4] else ""
        before, star, _ = parts[5].partition("*")
        parts[5] = f"{before}{team.name}-*" if star else parts[5]
        return ":".join(parts)


def _grant_one_resource(author: StatementAuthor, team: OrgTeam) -> Statement:
    """Grant work on one named resource of the team."""
    kind = author.plan.choose(sorted(_WRITES))
    names = author.things.team_resources(team, kind) or ("*",)
    arn = author.plan.choose(names)
    actions = _WRITES[kind]
    count = author.plan.random.randint(1, len(actions))
    both = (arn, f"{arn}/*") if kind == "s3:bucket" else (arn,)
    return allow(actions[:count], both)


def _grant_team_resources(author: StatementAuthor, team: OrgTeam) -> Statement:
    """Grant work on all resources of one kind with the team's prefix."""
    kind = author.plan.choose(sorted(_WRITES))
    service = kind.partition(":")[0]
    names = author.things.team_resources(team, kind)
    if not names or kind == "kms:key":
        return allow(_WRITES[kind], f"arn:aws:{service}:*:{team.account}:*")
    head = names[0][: names[0].index(team.name)]
    return allow(_WRITES[kind], f"{head}{team.name}*")


def _grant_any_service(author: StatementAuthor, team: OrgTeam) -> Statement:
    service = author.plan.choose(author.services)
    return allow(
        author.choose_actions(service, 8), author.choose_resource(service, team)
    )


def _grant_reads(author: StatementAuthor, team: OrgTeam) -> Statement:
    service = author.plan.choose(author.services)
    return allow((f"{service}:Get*", f"{service}:List*", f"{service}:Describe*"), "*")


def _grant_logs(author: StatementAuthor, team: OrgTeam) -> Statement:
    group = f"arn:aws:logs:{team.region}:{team.account}:log-group:/{team.name}/*"
    return allow(("logs:CreateLogStream", "logs:PutLogEvents"), group)


def _grant_by_tag(author: StatementAuthor, team: OrgTeam) -> Statement:
    actions = ("ec2:StartInstances", "ec2:StopInstances", "ec2:RebootInstances")
    tag = condition("StringEquals", "aws:ResourceTag/team", "${aws:PrincipalTag/team}")
    return allow(actions, f"arn:aws:ec2:*:{team.account}:instance/*", tag)


def _grant_tagging(author: StatementAuthor, team: OrgTeam) -> Statement:
    keys = condition("ForAllValues:StringEquals", "aws:TagKeys", "team", "stage")
    tag = condition("StringEquals", "aws:RequestTag/team", team.name)
    return allow(("ec2:CreateTags", "ec2:RunInstances"), "*", keys, tag)


def _grant_home_folder(author: StatementAuthor, team: OrgTeam) -> Statement:
    arn = author.plan.choose(
        author.things.team_resources(team, "s3:bucket") or ("arn:aws:s3:::b",)
    )
    return allow(("s3:GetObject", "s3:PutObject"), f"{arn}/home/${{aws:username}}/*")


def _grant_prefix(author: StatementAuthor, team: OrgTeam) -> Statement:
    arn = author.plan.choose(
        author.things.team_resources(team, "s3:bucket") or ("arn:aws:s3:::b",)
    )
    below = condition(
        "StringLike", "s3:prefix", "jobs/*", "${aws:PrincipalTag/team, 'x'}/*"
    )
    return allow("s3:ListBucket", arn, below)


def _grant_leading_keys(author: StatementAuthor, team: OrgTeam) -> Statement:
    arn = f"arn:aws:dynamodb:{team.region}:{team.account}:table/{team.name}-*"
    mine = condition(
        "ForAllValues:StringLike", "dynamodb:LeadingKeys", "${aws:userid}*"
    )
    return allow(("dynamodb:GetItem", "dynamodb:Query"), arn, mine)


def _grant_decrypt(author: StatementAuthor, team: OrgTeam) -> Statement:
    via = condition("StringLike", "kms:ViaService", "s3.*.amazonaws.com")
    keys = f"arn:aws:kms:{team.region}:{team.account}:key/*"
    return allow(("kms:Decrypt", "kms:GenerateDataKey"), keys, via)


def _grant_in_region(author: StatementAuthor, team: OrgTeam) -> Statement:
    service = author.plan.choose(author.services)
    here = condition("StringEquals", "aws:RequestedRegion", team.region)
    return allow(author.choose_actions(service, 12), "*", here)


def _grant_from_network(author: StatementAuthor, team: OrgTeam) -> Statement:
    service = author.plan.choose(author.services)
    office = condition("IpAddress", "aws:SourceIp", "203.0.113.0/24", "198.51.100.0/25")
    return allow(
        author.choose_actions(service, 6), author.choose_resource(service, team), office
    )


def _grant_until(author: StatementAuthor, team: OrgTeam) -> Statement:
    service = author.plan.choose(author.services)
    end = condition("DateLessThan", "aws:CurrentTime", "2027-01-31T00:00:00Z")
    return allow(
        author.choose_actions(service, 6), author.choose_resource(service, team), end
    )


def _grant_assume_role(author: StatementAuthor, team: OrgTeam) -> Statement:
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


def _grant_pass_role(author: StatementAuthor, team: OrgTeam) -> Statement:
    name = author.plan.choose(_SERVICES_PASSED)
    to = condition("StringEquals", "iam:PassedToService", f"{name}.amazonaws.com")
    conditions = (to,) if author.plan.draw(0.7) else ()
    ours = f"arn:aws:iam::{team.account}:role/{team.name}/*"
    role = "*" if author.plan.draw(0.3) else ours
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


def _grant_launch(author: StatementAuthor, team: OrgTeam) -> Statement:
    """Grant the launch of compute that runs as a passed role."""
    actions = author.plan.random.choice(_LAUNCHES)
    if actions[0].startswith("lambda:") and author.plan.draw(0.7):
        arn = f"arn:aws:lambda:{team.region}:{team.account}:function:{team.name}-*"
        return allow(actions, arn)
    return allow(actions, "*")


def _grant_access_keys(author: StatementAuthor, team: OrgTeam) -> Statement:
    self_only = "arn:aws:iam::*:user/${aws:username}"
    mfa = condition("Bool", "aws:MultiFactorAuthPresent", "true")
    return allow(("iam:CreateAccessKey", "iam:ListAccessKeys"), self_only, mfa)


def _grant_management(author: StatementAuthor, team: OrgTeam) -> Statement:
    roles = f"arn:aws:iam::{team.account}:role/{team.name}/*"
    actions = (
        "iam:PutRolePolicy",
        "iam:AttachRolePolicy",
        "iam:UpdateAssumeRolePolicy",
    )
    bound = condition(
        "StringEquals",
        "iam:PermissionsBoundary",
        f"arn:aws:iam::{team.account}:policy/boundary-0",
    )
    return allow(actions, roles, *((bound,) if author.plan.draw(0.6) else ()))


def _deny_deletes(author: StatementAuthor, team: OrgTeam) -> Statement:
    return deny(("s3:Delete*", "dynamodb:DeleteTable", "kms:ScheduleKeyDeletion"))


def _deny_iam(author: StatementAuthor, team: OrgTeam) -> Statement:
    return deny(("iam:*", "organizations:*", "account:*"))


def _deny_without_mfa(author: StatementAuthor, team: OrgTeam) -> Statement:
    absent = condition("BoolIfExists", "aws:MultiFactorAuthPresent", "false")
    return deny_not_action(("iam:ListMFADevices", "sts:GetSessionToken"), absent)


def _deny_low_clearance(author: StatementAuthor, team: OrgTeam) -> Statement:
    tag = condition("StringEquals", "aws:ResourceTag/class", "restricted")
    mine = condition("StringNotEquals", "aws:PrincipalTag/clearance", "high")
    return deny(("dynamodb:*", "secretsmanager:*", "kms:Decrypt"), "*", tag, mine)


def _deny_foreign_buckets(author: StatementAuthor, team: OrgTeam) -> Statement:
    head = f"arn:aws:s3:::{team.name}-*"
    return deny_not_resource(("s3:PutObject", "s3:PutObjectAcl"), head)


def _deny_network_changes(author: StatementAuthor, team: OrgTeam) -> Statement:
    away = condition("NotIpAddress", "aws:SourceIp", "203.0.113.0/24")
    service = condition("BoolIfExists", "aws:ViaAWSService", "false")
    return deny("*", "*", away, service)


def _grant_model_calls(author: StatementAuthor, team: OrgTeam) -> Statement:
    models = f"arn:aws:bedrock:{team.region}::foundation-model/*"
    return allow(("bedrock:InvokeModel", "bedrock:Converse"), models)


def _grant_code_interpreter(author: StatementAuthor, team: OrgTeam) -> Statement:
    actions = (
        "bedrock-agentcore:CreateCodeInterpreter",
        "bedrock-agentcore:StartCodeInterpreterSession",
        "bedrock-agentcore:InvokeCodeInterpreter",
    )
    return allow(actions, "*")


def _grant_power_user(author: StatementAuthor, team: OrgTeam) -> Statement:
    return allow_not_action(("iam:*", "organizations:*", "account:*", "s3:*", "sts:*"))


_TEMPLATES: tuple[tuple[StatementTemplate, float], ...] = (
    (_grant_one_resource, 22),
    (_grant_team_resources, 12),
    (_grant_any_service, 26),
    (_grant_reads, 6),
    (_grant_logs, 6),
    (_grant_by_tag, 2),
    (_grant_tagging, 1.5),
    (_grant_home_folder, 1.5),
    (_grant_prefix, 2),
    (_grant_leading_keys, 1.5),
    (_grant_decrypt, 3),
    (_grant_in_region, 4),
    (_grant_from_network, 2),
    (_grant_until, 1),
    (_grant_assume_role, 8),
    (_grant_pass_role, 4),
    (_grant_launch, 4),
    (_grant_access_keys, 0.8),
    (_grant_management, 0.4),
    (_deny_deletes, 1.5),
    (_deny_iam, 1.2),
    (_deny_without_mfa, 0.8),
    (_deny_low_clearance, 1.2),
    (_deny_foreign_buckets, 0.8),
    (_deny_network_changes, 0.4),
    (_grant_model_calls, 1.5),
    (_grant_code_interpreter, 0.7),
    (_grant_power_user, 0.15),
)
