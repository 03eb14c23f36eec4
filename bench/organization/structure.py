"""Structure of the organisation: units, accounts, teams, identities."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field

from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.identity import Account
from bench.organization.policy_syntax import ORG_SEEN

ORGANIZATION = "o-b3nch0rg01"
ROOT = "r-b3nc"
SECURITY, INFRASTRUCTURE, WORKLOADS, PRODUCTION, DEVELOPMENT, SANDBOX = (
    f"ou-b3nc-{name:0>8}" for name in ("sec", "infra", "work", "prod", "dev", "sand")
)
REGIONS = ("us-east-1", "eu-west-1", "eu-central-1", "ap-southeast-2")
# Name, number, units from the root down, share of the teams.
_ACCOUNTS = (
    ("management", "111122223333", (), 1),
    ("audit", "222233334444", (SECURITY,), 1),
    ("log-archive", "333344445555", (SECURITY,), 1),
    ("network", "444455556666", (INFRASTRUCTURE,), 3),
    ("tooling", "555566667777", (INFRASTRUCTURE,), 6),
    ("shop-production", "666677778888", (WORKLOADS, PRODUCTION), 22),
    ("data-production", "777788889999", (WORKLOADS, PRODUCTION), 18),
    ("shop-development", "888899990000", (WORKLOADS, DEVELOPMENT), 20),
    ("data-development", "999900001111", (WORKLOADS, DEVELOPMENT), 16),
    ("sandbox", "123456789012", (WORKLOADS, SANDBOX), 12),
)
MANAGEMENT, AUDIT, LOGS, _, TOOLING, *_ = (number for _, number, _, _ in _ACCOUNTS)
# Nobody of this organisation.
VENDOR = "210987654321"
_WORDS = [
    "billing",
    "search",
    "orders",
    "stock",
    "prices",
    "carts",
    "ledger",
    "fraud",
    "media",
    "ads",
    "mail",
    "chat",
    "maps",
    "events",
    "metrics",
    "profile",
    "catalog",
    "shipping",
    "returns",
    "loyalty",
    "reports",
    "ranking",
    "labels",
    "training",
    "features",
    "notebooks",
    "crawl",
    "archive",
    "edge",
    "identity",
]
_PER_TEAM = 25
# Kind of identity, share. A service is one that the role's trust names.
_KINDS = (
    ("lambda", 13),
    ("ec2", 6),
    ("ecs-tasks", 6),
    ("glue", 3),
    ("states", 3),
    ("sagemaker", 1),
    ("codebuild", 3),
    ("bedrock", 1),
    ("bedrock-agentcore", 2),
    ("team", 20),
    ("paired", 8),
    ("sso", 6),
    ("github", 4),
    ("across", 5),
    ("vendor", 1),
    ("org", 1),
    ("service-linked", 4),
    ("user", 13),
)
SERVICES = frozenset(name for name, _ in _KINDS[:9])
_LINKED = ("autoscaling", "ecs", "elasticloadbalancing", "rds", "support", "config")


@dataclass(frozen=True, slots=True)
class OrgTeam:
    """A team; its name prefixes most names and tags."""

    name: str
    account: str
    region: str


@dataclass(frozen=True, slots=True)
class OrgMember:
    """A planned identity; its kind decides trust and typical policies."""

    arn: str
    kind: str
    team: OrgTeam
    number: int

    @property
    def is_user(self) -> bool:
        return self.kind == "user"

    @property
    def name(self) -> str:
        return self.arn.rpartition("/")[2]


@dataclass(slots=True)
class OrganizationPlan:
    """Structure decided before any policy is generated.

    Attributes:
        random: The one source of chance.
        catalogue: Actions to pick from.
        accounts: In the tree.
        teams: Each in one account.
        members: Identities to be, root users aside.
        by_team: The same, by team name.
    """

    random: random.Random
    catalogue: ActionCatalogue
    accounts: tuple[Account, ...]
    teams: tuple[OrgTeam, ...]
    members: tuple[OrgMember, ...] = ()
    by_team: dict[str, list[OrgMember]] = field(default_factory=dict)

    def choose(self, some: Sequence[str]) -> str:
        return self.random.choice(some)

    def draw(self, share: float) -> bool:
        return self.random.random() < share

    def other_account(self, but: str) -> str:
        others = [a.id for a in self.accounts if a.id != but]
        return self.choose(others or [VENDOR])

    def choose_role(self, team: OrgTeam, kind: str = "") -> str:
        """Choose a role of a team, or a service role of it."""
        roles = [m.arn for m in self.by_team[team.name] if not m.is_user]
        fit = [m.arn for m in self.by_team[team.name] if m.kind == kind]
        if kind and not fit:
            return ""
        return self.choose(fit or roles or [f"arn:aws:iam::{team.account}:role/none"])


def plan_organization(
    size: int, seed: int, catalogue: ActionCatalogue, *, single: bool
) -> OrganizationPlan:
    """Generate accounts, teams and identities.

    Args:
        size: How many users and roles.
        seed: Of chance.
        catalogue: Actions to pick from.
        single: One account of no organisation, instead of ten in a tree.
    """
    chance = random.Random(seed)
    rows = _ACCOUNTS[5:6] if single else _ACCOUNTS
    accounts = tuple(
        Account(
            id=number,
            name=name,
            organization="" if single else ORGANIZATION,
            parents=() if single else (ROOT, *units),
            management=number == MANAGEMENT,
            seen=ORG_SEEN,
        )
        for name, number, units, _ in rows
    )
    made = OrganizationPlan(
        chance, catalogue, accounts, _build_teams(chance, rows, size)
    )
    members = []
    kinds, shares = zip(*_KINDS, strict=True)
    for number in range(size):
        team = made.teams[number % len(made.teams)]
        (kind,) = chance.choices(kinds, shares)
        member = OrgMember(_member_arn(chance, team, kind, number), kind, team, number)
        members.append(member)
        made.by_team.setdefault(team.name, []).append(member)
    made.members = tuple(members)
    return made


def _build_teams(
    chance: random.Random,
    rows: Sequence[tuple[str, str, tuple[str, ...], int]],
    size: int,
) -> tuple[OrgTeam, ...]:
    numbers = [number for _, number, _, _ in rows]
    shares = [share for *_, share in rows]
    count = max(size // _PER_TEAM, len(rows))
    # Every account has a team at least; the rest fall by share.
    places = numbers + chance.choices(numbers, shares, k=count - len(rows))
    return tuple(
        OrgTeam(f"{_WORDS[n % len(_WORDS)]}-{n}", place, chance.choice(REGIONS))
        for n, place in enumerate(places)
    )


def _member_arn(chance: random.Random, team: OrgTeam, kind: str, number: int) -> str:
    before = f"arn:aws:iam::{team.account}:"
    if kind == "user":
        return f"{before}user/{team.name}/u{number}"
    if kind == "service-linked":
        name = chance.choice(_LINKED)
        path = f"aws-service-role/{name}.amazonaws.com"
        return f"{before}role/{path}/AWSServiceRoleFor{name.title()}_{number}"
    if kind == "sso":
        path = "aws-reserved/sso.amazonaws.com"
        return f"{before}role/{path}/AWSReservedSSO_{team.name}_{number:016x}"
    if kind == "github":
        return f"{before}role/deploy/{team.name}-{number}"
    return f"{before}role/{team.name}/{kind}-{number}"
