"""Random permission questions about a generated organisation."""

import random
from collections import defaultdict
from collections.abc import Sequence
from fnmatch import fnmatchcase

from answerable.model.policy import PolicyEffect, PolicyLayer, Statement
from bench.organization.generator import GeneratedOrganization
from bench.organization.structure import OrgMember, OrgTeam

# Action, kind of resource; `role` stands for a role, `*` for none.
_ASKED = (
    ("s3:GetObject", "s3:object"),
    ("s3:PutObject", "s3:object"),
    ("s3:DeleteObject", "s3:object"),
    ("s3:ListBucket", "s3:bucket"),
    ("s3:GetObject", "s3:accesspoint"),
    ("kms:Decrypt", "kms:key"),
    ("kms:GenerateDataKey", "kms:key"),
    ("sqs:SendMessage", "sqs:queue"),
    ("sqs:ReceiveMessage", "sqs:queue"),
    ("sns:Publish", "sns:topic"),
    ("lambda:InvokeFunction", "lambda:function"),
    ("lambda:UpdateFunctionCode", "lambda:function"),
    ("secretsmanager:GetSecretValue", "secretsmanager:secret"),
    ("ecr:BatchGetImage", "ecr:repository"),
    ("dynamodb:GetItem", "dynamodb:table"),
    ("dynamodb:DeleteTable", "dynamodb:table"),
    ("ec2:StartInstances", "ec2:instance"),
    ("ssm:GetParameter", "ssm:parameter"),
    ("sts:AssumeRole", "role"),
    ("iam:PassRole", "role"),
    ("iam:PutRolePolicy", "role"),
    ("ec2:DescribeInstances", "*"),
    ("s3:ListAllMyBuckets", "*"),
)
_NEAR, _AIMED = 0.6, 0.5

SampledQuestion = tuple[str, str, str]


def sample_questions(
    made: GeneratedOrganization, count: int, seed: int
) -> list[SampledQuestion]:
    """Sample questions.

    Half are aimed: an action that a policy of the principal's names, and a thing that
    its pattern takes where the team has one. The rest are drawn blindly, three in five
    about a thing of the principal's own team.
    """
    pick = random.Random(seed)
    held = _statements_by_identity(made)
    found: list[SampledQuestion] = []
    while len(found) < count:
        member = pick.choice(made.plan.members)
        point = None
        if pick.random() < _AIMED and held[member.arn]:
            point = _targeted_question(
                made, pick, member, pick.choice(held[member.arn])
            )
        point = point or _random_question(made, pick, member)
        if point[2]:
            found.append(point)
    return found


def _statements_by_identity(made: GeneratedOrganization) -> dict[str, list[Statement]]:
    policies = {policy.id: policy.statements for policy in made.facts.policies}
    found: dict[str, list[Statement]] = defaultdict(list)
    for one in made.facts.attachments:
        if one.layer is PolicyLayer.IDENTITY:
            found[one.target] += [
                s for s in policies[one.policy] if s.effect is PolicyEffect.ALLOW
            ]
    return found


def _targeted_question(
    made: GeneratedOrganization,
    pick: random.Random,
    member: OrgMember,
    statement: Statement,
) -> SampledQuestion | None:
    asked = [
        (action, kind)
        for action, kind in _ASKED
        if any(fnmatchcase(action, pattern) for pattern in statement.actions)
    ]
    if not asked:
        return None
    action, kind = pick.choice(asked)
    names = _resource_names(made, member.team, kind)
    hit = [n for n in names if any(fnmatchcase(n, p) for p in statement.resources)]
    return member.arn, action, pick.choice(hit or names or [""])


def _random_question(
    made: GeneratedOrganization, pick: random.Random, member: OrgMember
) -> SampledQuestion:
    action, kind = pick.choice(_ASKED)
    near = pick.random() < _NEAR
    team = member.team if near else pick.choice(made.plan.teams)
    return member.arn, action, pick.choice(_resource_names(made, team, kind) or [""])


def _resource_names(
    made: GeneratedOrganization, team: OrgTeam, kind: str
) -> Sequence[str]:
    if kind == "*":
        return ["*"]
    if kind == "role":
        return [m.arn for m in made.plan.by_team[team.name] if not m.is_user]
    names = made.things.team_resources(team, kind)
    if kind == "s3:accesspoint":
        return [f"{name}/object/jobs/part-1" for name in names]
    return names
