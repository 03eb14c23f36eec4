"""Generator of resources by team."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from answerable.model.ids import IdentityId, ResourceId
from answerable.model.resource import Resource
from bench.organization.policy_syntax import RESOURCES_SEEN
from bench.organization.structure import OrganizationPlan, OrgTeam

# Kind, share of a team's resources. Objects stand for what lies below a prefix.
_SHARES = (
    ("s3:bucket", 4),
    ("s3:object", 34),
    ("kms:key", 7),
    ("sqs:queue", 8),
    ("sns:topic", 6),
    ("lambda:function", 10),
    ("secretsmanager:secret", 6),
    ("ecr:repository", 3),
    ("dynamodb:table", 7),
    ("ec2:instance", 7),
    ("s3:accesspoint", 1),
    ("logs:log-group", 4),
    ("ssm:parameter", 3),
)
_PURPOSES = ("raw", "jobs", "public", "model", "export", "cache", "audit", "web")
_STAGES = ("dev", "test", "prod")
# A part of most ARNs: `{n}` is unique, `{r}` the region, `{a}` the account.
_ARNS: Mapping[str, str] = {
    "s3:bucket": "arn:aws:s3:::{t}-{p}-{n}",
    "kms:key": "arn:aws:kms:{r}:{a}:key/{n:08x}-0000-4000-8000-{n:012x}",
    "sqs:queue": "arn:aws:sqs:{r}:{a}:{t}-{p}-{n}",
    "sns:topic": "arn:aws:sns:{r}:{a}:{t}-{p}-{n}",
    "lambda:function": "arn:aws:lambda:{r}:{a}:function:{t}-{p}-{n}",
    "secretsmanager:secret": "arn:aws:secretsmanager:{r}:{a}:secret:{t}/{p}-{n:06}",
    "ecr:repository": "arn:aws:ecr:{r}:{a}:repository/{t}/{p}-{n}",
    "dynamodb:table": "arn:aws:dynamodb:{r}:{a}:table/{t}-{p}-{n}",
    "ec2:instance": "arn:aws:ec2:{r}:{a}:instance/i-{n:017x}",
    "s3:accesspoint": "arn:aws:s3:{r}:{a}:accesspoint/{t}-{n}",
    "logs:log-group": "arn:aws:logs:{r}:{a}:log-group:/{t}/{p}-{n}",
    "ssm:parameter": "arn:aws:ssm:{r}:{a}:parameter/{t}/{p}-{n}",
}
_RUNS = {"lambda:function": "lambda", "ec2:instance": "ec2"}


@dataclass(frozen=True, slots=True)
class OwnedResource:
    """A resource with its owner team."""

    resource: Resource
    team: OrgTeam


@dataclass(slots=True)
class OrgResources:
    """All resources, by team and kind."""

    owned: list[OwnedResource]
    names: dict[tuple[str, str], list[str]]

    def team_resources(self, team: OrgTeam, kind: str) -> Sequence[str]:
        return self.names[team.name, kind]


def generate_resources(plan: OrganizationPlan, count: int) -> OrgResources:
    """Generate each team's share of `count` resources."""
    kinds, shares = zip(*_SHARES, strict=True)
    found = OrgResources([], defaultdict(list))
    for number in range(count):
        team = plan.teams[number % len(plan.teams)]
        # A team's first resource is a bucket: objects and access points need one.
        first = number < len(plan.teams)
        kind = "s3:bucket" if first else plan.random.choices(kinds, shares)[0]
        resource = _build_resource(plan, found, team, kind, number)
        found.owned.append(OwnedResource(resource, team))
        found.names[team.name, kind].append(resource.id)
    return found


def _build_resource(
    plan: OrganizationPlan, found: OrgResources, team: OrgTeam, kind: str, number: int
) -> Resource:
    purpose = plan.choose(_PURPOSES)
    bucket = ""
    if kind in ("s3:object", "s3:accesspoint"):
        bucket = plan.choose(found.team_resources(team, "s3:bucket"))
    if kind == "s3:object":
        arn = f"{bucket}/{purpose}/part-{number}"
    else:
        arn = _ARNS[kind].format(
            t=team.name, p=purpose, n=number, r=team.region, a=team.account
        )
    http_server = kind == "s3:accesspoint"
    return Resource(
        id=ResourceId(arn),
        kind=kind,
        account=team.account,
        tags=()
        if kind == "s3:object" or plan.draw(0.3)
        else _resource_tags(plan, team),
        seen=RESOURCES_SEEN,
        behind=ResourceId(bucket if http_server else ""),
        runs_as=IdentityId(
            plan.choose_role(team, _RUNS[kind]) if kind in _RUNS else ""
        ),
        network=f"vpc-{number:08x}" if http_server and plan.draw(0.5) else "",
    )


def _resource_tags(
    plan: OrganizationPlan, team: OrgTeam
) -> tuple[tuple[str, str], ...]:
    tags = [("stage", plan.choose(_STAGES)), ("team", team.name)]
    if plan.draw(0.1):
        tags.insert(0, ("class", "restricted"))
    return tuple(tags)
