"""Short ways to make facts."""

from answerable.model.agent import Agent, FactStatus
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLifetime,
    CredentialLink,
)
from answerable.model.identity import Identity
from answerable.model.ids import (
    AgentId,
    CredentialId,
    IdentityId,
    PersonId,
    PolicyId,
    ToolId,
)
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.policy import (
    Policy,
    PolicyAttachment,
    PolicyEffect,
    PolicyLayer,
    Statement,
)
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from answerable.model.tool import Tool

DAY = 86_400 * 10**9
NOW = 20_000 * DAY
ACCOUNT = "111122223333"
HOME = "home:/home/ana"


def seen(
    at: int = NOW, by: WrittenBy = WrittenBy.PLATFORM, place: str = "place"
) -> FactProvenance:
    return FactProvenance("test:", place, by, at)


def arn(tail: str, account: str = ACCOUNT) -> IdentityId:
    return IdentityId(f"arn:aws:iam::{account}:{tail}")


def person(text: str) -> PersonId:
    return PersonId(f"person:{text}")


def human(
    handle: str,
    *aliases: str,
    team: bool = False,
    alive: bool = True,
    by: WrittenBy = WrittenBy.PLATFORM,
) -> Person:
    return Person(person(handle), "", aliases, team, alive, seen(by=by))


def evidence(
    subject: str,
    who: str,
    kind: OwnerEvidenceKind = OwnerEvidenceKind.OWNER_TAG,
    *,
    age: float = 0,
    act: str = "",
    reference: str = "",
    by: WrittenBy = WrittenBy.PLATFORM,
    standing: bool = True,
) -> OwnerEvidence:
    at = NOW - int(age * DAY)
    return OwnerEvidence(
        subject, person(who), kind, reference, act, standing, seen(at, by)
    )


def identity(
    tail: str,
    *,
    unique: str = "AROA",
    tags: tuple[tuple[str, str], ...] = (),
    account: str = ACCOUNT,
    used: int = 0,
) -> Identity:
    kind = f"aws-{tail.partition('/')[0]}"
    name = tail.rpartition("/")[2]
    return Identity(
        arn(tail, account), kind, name, account, unique, tags, 0, used, seen()
    )


def agent(
    name: str = "claude-code/home/ana",
    *,
    scope: str = HOME,
    parent: str | None = None,
    runs_as: tuple[IdentityId, ...] = (),
    facts: tuple[tuple[str, str], ...] = (),
) -> Agent:
    kind = name.partition("/")[0]
    above = AgentId(f"agent:{parent}") if parent else None
    return Agent(
        id=AgentId(f"agent:{name}"),
        kind=kind,
        name=name.rpartition("/")[2],
        place=f"/{name}.json",
        scope=scope,
        parent=above,
        unattended=False,
        known=FactStatus.DECLARED,
        runs_as=runs_as,
        note="",
        facts=facts,
        seen=seen(),
    )


def tool(
    of: str,
    server: str,
    *credentials: CredentialId,
    enabled: bool = True,
    place: str = "place",
) -> Tool:
    return Tool(
        ToolId(f"tool:mcp/{server}/*"),
        AgentId(f"agent:{of}"),
        server,
        "stdio",
        "run",
        enabled,
        False,
        credentials,
        seen(place=place),
    )


def credential(
    key: str,
    *,
    cls: CredentialClass = CredentialClass.LITERAL,
    scope: str = HOME,
    place: str = "/home/ana/.claude.json#/x",
    kind: str = "aws-access-key",
    account: str = "",
) -> Credential:
    return Credential(
        id=CredentialId(key),
        kind=kind,
        cls=cls,
        lifetime=CredentialLifetime.STATIC,
        name="AWS_ACCESS_KEY_ID",
        place=place,
        scope=scope,
        hint="",
        account=account,
        status="",
        created_at=0,
        expires_at=0,
        last_used_at=0,
        seen=seen(),
    )


def link(
    key: str, proves: IdentityId, how: str = "list-access-keys", at: int = NOW
) -> CredentialLink:
    return CredentialLink(CredentialId(key), proves, how, seen(at))


def statement(
    action: str, resource: str, effect: PolicyEffect = PolicyEffect.ALLOW
) -> Statement:
    return Statement("0", effect, (action,), (), (resource,), (), (), (), ())


def policy(
    target: IdentityId,
    *statements: Statement,
    layer: PolicyLayer = PolicyLayer.IDENTITY,
) -> tuple[Policy, PolicyAttachment]:
    key = PolicyId(f"{target}#{layer}")
    return (
        Policy(key, "p", statements, (), seen()),
        PolicyAttachment(key, target, layer, "", seen()),
    )


def sync(
    source: str = "aws:file",
    at: int = NOW,
    *,
    collected: tuple[str, ...] = (),
    **facts: object,
) -> tuple[str, Sync]:
    made = SightedFacts(**facts)  # type: ignore[arg-type]  # names of Facts
    name = source.partition(":")[0]
    return source, Sync(source, name, at, made, collected=collected)
