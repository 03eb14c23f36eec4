"""Generator of users, roles and groups with policies, boundaries and trusts."""

from collections import defaultdict
from collections.abc import Iterator, Sequence

from answerable.model.identity import Identity
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.policy import Policy, PolicyAttachment, PolicyLayer, Statement
from answerable.model.user_group import UserGroup
from bench.organization.identity_statements import StatementAuthor
from bench.organization.policy_syntax import (
    ANY_PRINCIPAL,
    SEEN,
    account_principal,
    allow,
    allow_not_action,
    condition,
    deny,
    number_statements,
    service_principal,
)
from bench.organization.resources import OrgResources
from bench.organization.structure import (
    AUDIT,
    ORGANIZATION,
    SERVICES,
    TOOLING,
    VENDOR,
    OrganizationPlan,
    OrgMember,
    OrgTeam,
)

_GROUPS = ("readers", "developers", "operators", "analysts")
_FULL = [
    "s3",
    "ec2",
    "lambda",
    "dynamodb",
    "sqs",
    "sns",
    "kms",
    "ecr",
    "ecs",
    "rds",
    "kinesis",
    "athena",
    "glue",
    "states",
    "events",
    "cloudwatch",
    "logs",
    "ssm",
    "secretsmanager",
    "bedrock",
    "sagemaker",
]
_GITHUB = "token.actions.githubusercontent.com"
_BOUNDED = (
    ("s3:*", "dynamodb:*", "sqs:*", "sns:*", "logs:*", "cloudwatch:*"),
    ("lambda:*", "s3:*", "kms:*", "ssm:Get*", "sts:AssumeRole", "iam:PassRole"),
    ("ec2:*", "ecs:*", "ecr:*", "elasticloadbalancing:*", "autoscaling:*"),
)


class IdentityGenerator:
    """Generator of the identities of a plan."""

    def __init__(self, plan: OrganizationPlan, things: OrgResources) -> None:
        self.plan = plan
        self.author = StatementAuthor(plan, things)
        self.identities: list[Identity] = []
        self.policies: list[Policy] = []
        self.attachments: list[PolicyAttachment] = []
        self.managed = self._add_managed_policies()
        self.shared: dict[str, list[PolicyId]] = {}
        self.groups: dict[str, list[tuple[str, list[PolicyId]]]] = {}
        self.members: dict[str, list[IdentityId]] = defaultdict(list)
        self.boundaries: dict[str, list[PolicyId]] = {}

    def generate(self) -> None:
        for account in self.plan.accounts:
            self._add_root(account.id)
            self._add_account(account.id)
        for team in self.plan.teams:
            self._add_team(team)
        for member in self.plan.members:
            self._add_member(member)

    def user_groups(self) -> Iterator[UserGroup]:
        """List the groups with their members."""
        for account, groups in self.groups.items():
            for arn, _ in groups:
                members = tuple(sorted(self.members[arn]))
                yield UserGroup(ResourceId(arn), account, members, SEEN)

    def _add_policy(self, name: str, statements: Sequence[Statement]) -> PolicyId:
        policy = PolicyId(name)
        short = name.rpartition("/")[2].rpartition("#")[2]
        self.policies.append(
            Policy(policy, short, number_statements(statements), (), SEEN)
        )
        return policy

    def _attach(
        self,
        policy: PolicyId,
        target: str,
        layer: PolicyLayer = PolicyLayer.IDENTITY,
        via: str = "",
    ) -> None:
        self.attachments.append(PolicyAttachment(policy, target, layer, via, SEEN))

    def _add_managed_policies(self) -> dict[str, PolicyId]:
        """Generate policies in the style of AWS managed ones."""
        place = "arn:aws:iam::aws:policy/"
        services = sorted(self.plan.catalogue.services)
        verbs = ("Get*", "List*", "Describe*", "BatchGet*")
        read = [f"{name}:{verb}" for name in services for verb in verbs[:3]]
        limits = ("iam:*", "organizations:*", "account:*")
        found = {
            "AdministratorAccess": [allow("*", "*")],
            "ReadOnlyAccess": [allow(read, "*")],
            "PowerUserAccess": [
                allow_not_action(limits),
                allow(("iam:ListRoles", "iam:CreateServiceLinkedRole"), "*"),
            ],
        }
        for name in _FULL:
            found[f"{name}FullAccess"] = [allow(f"{name}:*", "*")]
            found[f"{name}ReadOnly"] = [allow([f"{name}:{v}" for v in verbs], "*")]
        logs = ("logs:CreateLogGroup", "logs:CreateLogStream", "logs:PutLogEvents")
        found["service-role/AWSLambdaBasicExecutionRole"] = [allow(logs, "*")]
        return {n: self._add_policy(place + n, found[n]) for n in sorted(found)}

    def _add_root(self, account: str) -> None:
        arn = f"arn:aws:iam::{account}:root"
        self.identities.append(
            Identity(
                id=IdentityId(arn),
                kind="aws-root",
                name="root",
                account=account,
                unique_id=account,
                tags=(),
                created_at=1,
                last_used_at=0,
                seen=SEEN,
            )
        )

    def _add_account(self, account: str) -> None:
        """Generate the boundaries and groups of an account."""
        place = f"arn:aws:iam::{account}:"
        no_escape = deny(("iam:DeleteRolePermissionsBoundary", "iam:CreateUser"))
        self.boundaries[account] = [
            self._add_policy(
                f"{place}policy/boundary-{n}", [allow(some, "*"), no_escape]
            )
            for n, some in enumerate(_BOUNDED)
        ]
        self.boundaries[account].append(
            self._add_policy(f"{place}policy/boundary-none", []),
        )
        teams = [team for team in self.plan.teams if team.account == account]
        self.groups[account] = []
        for name in _GROUPS:
            arn = f"{place}group/{name}"
            own = self.author.write_statements(self.plan.random.choice(teams), 1, 3)
            held = [self._add_policy(f"{arn}#inline/own", own)]
            held.append(self.managed[f"{self.plan.choose(_FULL)}ReadOnly"])
            for policy in held:
                self._attach(policy, arn)
            self.groups[account].append((arn, held))

    def _add_team(self, team: OrgTeam) -> None:
        self.shared[team.name] = [
            self._add_policy(
                f"arn:aws:iam::{team.account}:policy/{team.name}/p{n}",
                self.author.write_statements(team, 2, 6),
            )
            for n in range(self.plan.random.randint(2, 5))
        ]

    def _add_member(self, member: OrgMember) -> None:
        role = not member.is_user
        kind = "aws-service-role" if member.kind == "service-linked" else "aws-role"
        tags = [("team", member.team.name)]
        if self.plan.draw(0.2):
            tags.insert(0, ("clearance", self.plan.choose(("high", "low"))))
        self.identities.append(
            Identity(
                id=IdentityId(member.arn),
                kind=kind if role else "aws-user",
                name=member.name,
                account=member.team.account,
                unique_id=f"{'AROA' if role else 'AIDA'}{member.number:017}",
                tags=() if self.plan.draw(0.3) else tuple(tags),
                created_at=1,
                last_used_at=0,
                seen=SEEN,
            )
        )
        if role:
            trust = self._add_policy(
                f"{member.arn}#trust", [_trust_statements(self.plan, member)]
            )
            self._attach(trust, member.arn, PolicyLayer.TRUST)
        self._attach_policies(member)

    def _attach_policies(self, member: OrgMember) -> None:
        pick, arn = self.plan.random, member.arn
        held = dict.fromkeys(self._pick_statements(member))
        for policy in held:
            self._attach(policy, arn)
        if self.plan.draw(0.55):
            name = f"{arn}#inline/own"
            own = self.author.write_statements(member.team, 1, 4)
            self._attach(self._add_policy(name, own), arn)
        if member.is_user:
            for group, policies in pick.sample(self.groups[member.team.account], 2):
                self.members[group].append(IdentityId(arn))
                for policy in policies:
                    self._attach(policy, arn, via=group)
        linked = member.kind == "service-linked"
        if not linked and self.plan.draw(0.18):
            bounds = self.boundaries[member.team.account]
            # An empty boundary is rare, and allows nothing.
            place = len(bounds) - 1 if self.plan.draw(0.02) else pick.randrange(3)
            self._attach(bounds[place], arn, PolicyLayer.BOUNDARY)

    def _pick_statements(self, member: OrgMember) -> Iterator[PolicyId]:
        pick = self.plan.random
        if member.kind == "service-linked":
            yield self.managed[f"{self.plan.choose(_FULL)}FullAccess"]
            return
        shared = self.shared[member.team.name]
        yield from pick.sample(shared, pick.randint(0, min(3, len(shared))))
        if member.kind == "lambda":
            yield self.managed["service-role/AWSLambdaBasicExecutionRole"]
        if self.plan.draw(0.3):
            ending = self.plan.choose(("FullAccess", "ReadOnly", "ReadOnly"))
            yield self.managed[self.plan.choose(_FULL) + ending]
        # Now and then one wide policy, mostly for people.
        wide = 0.3 if member.kind == "sso" else 0.03
        if self.plan.draw(wide):
            names = ("ReadOnlyAccess",) * 5 + ("PowerUserAccess",) * 3
            yield self.managed[self.plan.choose((*names, "AdministratorAccess"))]


def _trust_statements(plan: OrganizationPlan, member: OrgMember) -> Statement:
    """Generate the trust policy of a role, by its kind."""
    kind, team = member.kind, member.team
    if kind in SERVICES:
        mine = condition("StringEquals", "aws:SourceAccount", team.account)
        some = (mine,) if kind.startswith("bedrock") else ()
        return allow("sts:AssumeRole", (), *some, to=(service_principal(kind),))
    if kind == "service-linked":
        name = member.arn.split("/")[2].removesuffix(".amazonaws.com")
        return allow("sts:AssumeRole", to=(service_principal(name),))
    if kind in ("sso", "github"):
        return _federated_principal(plan, member)
    if kind == "across":
        other = plan.choose((AUDIT, TOOLING, plan.other_account(team.account)))
        return allow("sts:AssumeRole", to=(account_principal(other),))
    if kind == "vendor":
        code = condition("StringEquals", "sts:ExternalId", f"x-{member.number}")
        return allow("sts:AssumeRole", (), code, to=(account_principal(VENDOR),))
    if kind == "org":
        mine = condition("StringEquals", "aws:PrincipalOrgID", ORGANIZATION)
        name = f"arn:aws:iam::*:role/{team.name}/*"
        who = condition("ArnLike", "aws:PrincipalArn", name)
        return allow("sts:AssumeRole", (), mine, who, to=ANY_PRINCIPAL)
    if kind == "paired":
        return allow("sts:AssumeRole", to=(("AWS", plan.choose_role(team)),))
    actions = (
        ("sts:AssumeRole", "sts:TagSession") if plan.draw(0.1) else "sts:AssumeRole"
    )
    mfa = condition("Bool", "aws:MultiFactorAuthPresent", "true")
    some = (mfa,) if plan.draw(0.15) else ()
    return allow(actions, (), *some, to=(account_principal(team.account),))


def _federated_principal(plan: OrganizationPlan, member: OrgMember) -> Statement:
    account = member.team.account
    if member.kind == "sso":
        provider = f"arn:aws:iam::{account}:saml-provider/AWSSSO"
        aud = condition(
            "StringEquals", "SAML:aud", "https://signin.aws.amazon.com/saml"
        )
        to = (("Federated", provider),)
        return allow(("sts:AssumeRoleWithSAML", "sts:TagSession"), (), aud, to=to)
    provider = f"arn:aws:iam::{account}:oidc-provider/{_GITHUB}"
    aud = condition("StringEquals", f"{_GITHUB}:aud", "sts.amazonaws.com")
    branch = plan.choose(("*", "ref:refs/heads/main", "environment:production"))
    sub = condition(
        "StringLike", f"{_GITHUB}:sub", f"repo:example/{member.team.name}:{branch}"
    )
    to = (("Federated", provider),)
    return allow("sts:AssumeRoleWithWebIdentity", (), aud, sub, to=to)
