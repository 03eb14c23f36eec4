"""Large store: an organisation, agents that act through it, a trail.

`python -m bench.web.large_store FOLDER IDENTITIES EVENTS SEED` writes `FOLDER/store`.
"""

import random
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from answerable.cli.sample.fake_access_keys import make_access_key_id
from answerable.connectors.iam_catalogue.fetch import load_catalogue
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
    ToolId,
    build_agent_id,
    build_aws_credential_id,
    build_mcp_tool_id,
)
from answerable.model.person import OwnerEvidence, OwnerEvidenceKind, Person
from answerable.model.provenance import FactProvenance, WrittenBy
from answerable.model.sighting import SightedFacts, Sync
from answerable.model.tool import Tool
from answerable.store.store import EvidenceStore
from bench.cloudtrail import ACCOUNT, START, role_caller, user_caller, write_trail
from bench.command_run import answerable_command
from bench.organization.generator import COLLECTED, generate_organization
from tests.inventory.stored_scans import save

AGENTS, TOOLS, PERSONS = 4_000, 3, 2_000
SUB_AGENTS = 10  # of the second agents of the persons, every tenth is a sub-agent
USERS, ROLES = 200, 800  # of the trail
_DAY = 86_400 * 10**9
_TAKEN = int(START.timestamp()) * 10**9


def _provenance(source: str, place: str, days: int = 0) -> FactProvenance:
    return FactProvenance(source, place, WrittenBy.PLATFORM, _TAKEN - days * _DAY)


def _person_name(number: int) -> PersonId:
    return PersonId(f"person:p{number:04}@corp.example")


def name_agent(number: int) -> AgentId:
    return build_agent_id("claude-code", f"p{number % PERSONS:04}-{number}")


def name_parent(number: int) -> AgentId | None:
    """Return the agent that an agent is a sub-agent of; None for most agents."""
    is_sub_agent = number >= PERSONS and number % SUB_AGENTS == 1
    return name_agent(number - PERSONS) if is_sub_agent else None


def list_persons() -> Iterator[Person]:
    for number in range(PERSONS):
        name = f"Person {number:04}"
        alive = number % 50 != 0
        yield Person(
            _person_name(number), name, (), False, alive, _provenance("people:", name)
        )


def owner_tags(identities: Sequence[Identity], seed: int) -> Iterator[OwnerEvidence]:
    """Add owner tags to seven of ten identities."""
    chance = random.Random(seed)
    for identity in identities:
        if chance.random() < 0.7:
            person = _person_name(chance.randrange(PERSONS))
            handle = person.removeprefix("person:")
            yield OwnerEvidence(
                subject=identity.id,
                person=person,
                kind=OwnerEvidenceKind.OWNER_TAG,
                reference=f"Owner={handle}",
                act="",
                standing=True,
                seen=_provenance("aws:", identity.id, chance.randrange(900)),
            )


def identities_of_trail() -> Iterator[Identity]:
    """Return the identities in the trail."""
    arns = [user_caller(n).arn for n in range(USERS)] + [
        role_caller(n) for n in range(ROLES)
    ]
    for arn in arns:
        name, kind = arn.rpartition("/")[2], "user" if ":user/" in arn else "role"
        seen = _provenance("aws:", arn)
        at = _TAKEN - 90 * _DAY
        yield Identity(
            IdentityId(arn), f"aws-{kind}", name, ACCOUNT, "", (), at, 0, seen
        )


def generate_agents(users: Sequence[Identity], seed: int) -> SightedFacts:
    """Generate agents; each tool holds a user's key, those of the trail first."""
    chance = random.Random(seed)
    made: list[Agent] = []
    tools: list[Tool] = []
    keys: list[Credential] = []
    links: list[CredentialLink] = []
    evidence: list[OwnerEvidence] = []
    for number in range(AGENTS):
        home = f"/home/p{number % PERSONS:04}"
        key = name_agent(number)
        seen = _provenance(f"home:{home}", f"{home}/.claude.json")
        made.append(_build_agent(key, number, home, seen))
        evidence.append(_home_facts(key, _person_name(number % PERSONS), seen))
        for nth in range(TOOLS):
            at = number * TOOLS + nth
            caller = user_caller(at).arn if at < USERS else chance.choice(users).id
            credential, link = _build_key(at, caller, home)
            tools.append(
                _build_tool(
                    build_mcp_tool_id(f"server-{chance.randrange(300)}"),
                    key,
                    credential.id,
                    seen,
                )
            )
            keys.append(credential)
            links.append(link)
    return SightedFacts(
        agents=tuple(made),
        tools=tuple(tools),
        credentials=tuple(keys),
        links=tuple(links),
        evidence=tuple(evidence),
    )


def _build_agent(key: AgentId, number: int, home: str, seen: FactProvenance) -> Agent:
    return Agent(
        id=key,
        kind="claude-code",
        name=f"assistant-{number:04}",
        place=seen.place,
        scope=f"home:{home}",
        parent=name_parent(number),
        unattended=number % 7 == 0,
        known=FactStatus.DECLARED,
        runs_as=(),
        note="",
        facts=(),
        seen=seen,
    )


def _home_facts(key: AgentId, person: PersonId, seen: FactProvenance) -> OwnerEvidence:
    return OwnerEvidence(
        key,
        person,
        OwnerEvidenceKind.HOME,
        seen.place,
        f"home {seen.place}",
        True,
        seen,
    )


def _build_tool(
    key: ToolId, agent: AgentId, credential: CredentialId, seen: FactProvenance
) -> Tool:
    server = key.split("/")[1]
    target = f"npx -y @corp/{server}"
    return Tool(key, agent, server, "stdio", target, True, False, (credential,), seen)


def _build_key(at: int, arn: str, home: str) -> tuple[Credential, CredentialLink]:
    key = build_aws_credential_id(make_access_key_id(ACCOUNT, f"{at}-{arn}"))
    if at < USERS:  # the key that the trail knows
        key = build_aws_credential_id(user_caller(at).key)
    place = f"{home}/.claude.json#/mcpServers/{at}/env/AWS_ACCESS_KEY_ID"
    seen = _provenance(f"home:{home}", place)
    credential = Credential(
        id=key,
        kind="aws-access-key",
        cls=CredentialClass.LITERAL,
        lifetime=CredentialLifetime.STATIC,
        name="AWS_ACCESS_KEY_ID",
        place=place,
        scope=f"home:{home}",
        hint=key[-4:],
        account=ACCOUNT,
        status="active",
        created_at=_TAKEN - 400 * _DAY,
        expires_at=0,
        last_used_at=0,
        seen=seen,
    )
    return credential, CredentialLink(key, IdentityId(arn), "list-access-keys", seen)


def generate_facts(identities: int, seed: int) -> SightedFacts:
    """Generate the facts of a scan."""
    made = generate_organization(
        identities, seed, load_catalogue(), resources=identities // 2
    ).facts
    who = (*made.identities, *identities_of_trail())
    users = [each for each in who if each.kind == "aws-user"]
    acting = generate_agents(users, seed)
    return replace(
        made,
        persons=tuple(list_persons()),
        agents=acting.agents,
        tools=acting.tools,
        credentials=acting.credentials,
        links=acting.links,
        identities=who,
        evidence=(*owner_tags(who, seed), *acting.evidence),
    )


def write_store(folder: Path, identities: int, events: int, seed: int) -> Path:
    """Write the store; return its folder."""
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    trail = folder / "trail"
    if not trail.is_dir():
        write_trail(trail, events, seed)
    answerable_command("--store", str(store), "ingest", f"cloudtrail:{trail}")
    write_snapshot(store, identities, seed)
    return store


def write_snapshot(store: Path, identities: int, seed: int) -> None:
    """Write a scan of everything into a store."""
    now = time.time_ns()
    with EvidenceStore.open(store, now=now, create=False) as opened:
        sync = Sync(
            source="aws:account.json",
            connector="aws",
            started_at=now,
            facts=generate_facts(identities, seed),
            collected=tuple(sorted(COLLECTED)),
        )
        save(opened, [sync], now)


if __name__ == "__main__":
    place, size, count, number = sys.argv[1:5]
    sys.stdout.write(
        f"{write_store(Path(place), int(size), int(count), int(number))}\n"
    )
