"""Builder of small AWS accounts for tests."""

from collections.abc import Iterable, Mapping, Sequence
from functools import cache

from answerable.connectors.iam_catalogue.fetch import load_catalogue
from answerable.model.action_catalogue import ActionCatalogue
from answerable.model.coverage import CoverageScope
from answerable.model.identity import Account, Identity
from answerable.model.ids import IdentityId, PolicyId, ResourceId
from answerable.model.inventory import Inventory, SourceCoverage
from answerable.model.policy import (
    ConditionClause,
    Policy,
    PolicyAttachment,
    PolicyEffect,
    PolicyLayer,
    Statement,
    UnreadStatement,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.resource import PublicAccessBlock, Resource
from answerable.model.sighting import SightedFacts
from answerable.model.user_group import UserGroup

SEEN_AT = 1_772_323_200  # 2026-03-01T00:00:00Z
SEEN = FactProvenance("aws:test", "test", WrittenBy.PLATFORM, SEEN_AT * 1_000_000_000)
A, B = "111122223333", "444455556666"
SERVICES = [
    "s3",
    "iam",
    "sts",
    "lambda",
    "ec2",
    "ecs",
    "glue",
    "cloudformation",
    "codebuild",
    "sagemaker",
    "bedrock-agentcore",
    "datapipeline",
    "apprunner",
    "states",
    "kms",
    "sqs",
    "sns",
    "secretsmanager",
    "ecr",
    "cognito-identity",
]


@cache
def catalogue() -> ActionCatalogue:
    return load_catalogue(SERVICES)


def user(name: str, account: str = A) -> str:
    return f"arn:aws:iam::{account}:user/{name}"


def role(name: str, account: str = A) -> str:
    return f"arn:aws:iam::{account}:role/{name}"


def texts(value: str | Sequence[str]) -> tuple[str, ...]:
    return (value,) if isinstance(value, str) else tuple(value)


def conditions(
    block: Mapping[str, Mapping[str, str | Sequence[str]]] | None,
) -> tuple[ConditionClause, ...]:
    return tuple(
        ConditionClause(operator, key, texts(values))
        for operator, keys in (block or {}).items()
        for key, values in keys.items()
    )


def statement(
    sid: str,
    *,
    effect: str = "Allow",
    action: str | Sequence[str] = (),
    resource: str | Sequence[str] = (),
    not_action: str | Sequence[str] = (),
    not_resource: str | Sequence[str] = (),
    principal: Mapping[str, str | Sequence[str]] | str | None = None,
    not_principal: Mapping[str, str | Sequence[str]] | str | None = None,
    condition: Mapping[str, Mapping[str, str | Sequence[str]]] | None = None,
) -> Statement:
    return Statement(
        sid=sid,
        effect=PolicyEffect(effect.lower()),
        actions=texts(action),
        not_actions=texts(not_action),
        resources=texts(resource),
        not_resources=texts(not_resource),
        principals=_principals(principal),
        not_principals=_principals(not_principal),
        conditions=conditions(condition),
    )


def _principals(
    named: Mapping[str, str | Sequence[str]] | str | None,
) -> tuple[tuple[str, str], ...]:
    if isinstance(named, str):  # "*" says as much as {"AWS": "*"}
        return (("AWS", named),)
    return tuple((k, v) for k, values in (named or {}).items() for v in texts(values))


_SUFFIX = {"identity": "inline/p", "resource": "policy"}


def _unique(kind: str, name: str, account: str) -> str:
    if kind == "aws-root":
        return account
    return ("AIDA" if kind == "aws-user" else "AROA") + name.upper()


def stated_policy(
    name: str, *statements: Statement, unread: Sequence[str] = ()
) -> Policy:
    """A policy that the question states: of a session, or of an endpoint."""
    gone = tuple(UnreadStatement(sid, "not read") for sid in unread)
    return Policy(PolicyId(name), name, tuple(statements), gone, SEEN)


class AccountBuilder:
    """Collects facts."""

    def __init__(self) -> None:
        self.identities: list[Identity] = []
        self.policies: list[Policy] = []
        self.attachments: list[PolicyAttachment] = []
        self.accounts: dict[str, Account] = {}
        self.resources: dict[str, Resource] = {}
        self.public_access: list[PublicAccessBlock] = []
        self.groups: dict[str, UserGroup] = {}

    def identity(
        self,
        arn: str,
        tags: Iterable[tuple[str, str]] = (),
        *,
        named_only: bool = False,
    ) -> str:
        account = arn.split(":")[4]
        kind = "aws-role" if ":role/" in arn else "aws-user"
        name = arn.rpartition("/")[2]
        if ":role/aws-service-role/" in arn:
            kind = "aws-service-role"
        if arn.endswith(":root"):
            kind, name = "aws-root", "root"
        self.identities.append(
            Identity(
                id=IdentityId(arn),
                kind=kind,
                name=name,
                account=account,
                unique_id="" if named_only else _unique(kind, name, account),
                tags=tuple(sorted(tags)),
                created_at=0,
                last_used_at=0,
                seen=SEEN,
            )
        )
        self.accounts.setdefault(account, Account(account, "", "", (), False, SEEN))
        return arn

    def organization(
        self,
        account: str,
        organization: str,
        parents: Sequence[str] = (),
        *,
        management: bool = False,
    ) -> None:
        self.accounts[account] = Account(
            account, "", organization, tuple(parents), management, SEEN
        )

    def resource(
        self,
        arn: str,
        kind: str,
        account: str = "",
        *,
        tags: Iterable[tuple[str, str]] = (),
        behind: str = "",
        runs_as: str = "",
        network: str = "",
    ) -> str:
        self.resources[arn] = Resource(
            ResourceId(arn),
            kind,
            account,
            tuple(sorted(tags)),
            SEEN,
            behind=ResourceId(behind),
            runs_as=IdentityId(runs_as),
            network=network,
        )
        return arn

    def group(self, arn: str, *members: str) -> str:
        named = tuple(sorted(IdentityId(member) for member in members))
        account = arn.split(":")[4]
        self.groups[arn] = UserGroup(ResourceId(arn), account, named, SEEN)
        return arn

    def block(self, target: str, *, restrict: bool = True) -> None:
        self.public_access.append(PublicAccessBlock(target, restrict, restrict, SEEN))

    def policy(
        self,
        arn: str,
        layer: str,
        *statements: Statement,
        policy: str = "",
        via: str = "",
        unread: Sequence[str] = (),
        collected: bool = True,
    ) -> str:
        name = policy or f"{arn}#{_SUFFIX.get(layer, layer)}"
        if collected and not any(p.id == name for p in self.policies):
            gone = tuple(UnreadStatement(sid, "not read") for sid in unread)
            self.policies.append(
                Policy(PolicyId(name), name, tuple(statements), gone, SEEN)
            )
        self.attachments.append(
            PolicyAttachment(PolicyId(name), arn, PolicyLayer(layer), via, SEEN)
        )
        return name

    def facts(self) -> SightedFacts:
        return SightedFacts(
            identities=tuple(self.identities),
            accounts=tuple(self.accounts[key] for key in sorted(self.accounts)),
            policies=tuple(self.policies),
            attachments=tuple(self.attachments),
            resources=tuple(self.resources.values()),
            public_access=tuple(self.public_access),
            groups=tuple(self.groups.values()),
        )

    def inventory(self) -> Inventory:
        return inventory_of(self.facts())


def inventory_of(facts: SightedFacts) -> Inventory:
    words = ("identity-policies", "boundaries", "role-trust")
    accounts = sorted({identity.account for identity in facts.identities})
    held = tuple(CoverageScope(word, account) for account in accounts for word in words)
    source = SourceCoverage("aws:test", "aws", 1, (), words, (), held)
    return Inventory(1, "s1", facts, {}, {}, {}, {}, (source,))
