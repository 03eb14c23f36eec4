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

from answerable.cli.sample.keys import access_key_id
from answerable.connectors.iam_catalogue.fetch import load
from answerable.model.agent import Agent, Known
from answerable.model.credential import (
    Credential,
    CredentialClass,
    CredentialLink,
    Lifetime,
)
from answerable.model.identity import Identity
from answerable.model.ids import (
    AgentId,
    CredentialId,
    IdentityId,
    PersonId,
    ToolId,
    agent_id,
    aws_credential_id,
    tool_id,
)
from answerable.model.person import EvidenceKind, OwnerEvidence, Person
from answerable.model.provenance import Seen, WrittenBy
from answerable.model.sighting import Facts, Sync
from answerable.model.tool import Tool
from answerable.store.store import Store
from bench.cloudtrail import ACCOUNT, START, role, user, write_trail
from bench.command_run import answerable
from bench.organization.generator import COLLECTED, organization
from tests.inventory.stored_scans import save

AGENTS, TOOLS, PERSONS = 4_000, 3, 2_000
USERS, ROLES = 200, 800  # of the trail
_DAY = 86_400 * 10**9
_TAKEN = int(START.timestamp()) * 10**9


def _seen(source: str, place: str, days: int = 0) -> Seen:
    return Seen(source, place, WrittenBy.PLATFORM, _TAKEN - days * _DAY)


def _person(number: int) -> PersonId:
    return PersonId(f"person:p{number:04}@corp.example")


def persons() -> Iterator[Person]:
    for number in range(PERSONS):
        name = f"Person {number:04}"
        alive = number % 50 != 0
        yield Person(_person(number), name, (), False, alive, _seen("people:", name))


def owned(identities: Sequence[Identity], seed: int) -> Iterator[OwnerEvidence]:
    """Add owner tags to seven of ten identities."""
    chance = random.Random(seed)
    for identity in identities:
        if chance.random() < 0.7:
            person = _person(chance.randrange(PERSONS))
            handle = person.removeprefix("person:")
            yield OwnerEvidence(
                subject=identity.id,
                person=person,
                kind=EvidenceKind.OWNER_TAG,
                reference=f"Owner={handle}",
                act="",
                standing=True,
                seen=_seen("aws:", identity.id, chance.randrange(900)),
            )


def trail_identities() -> Iterator[Identity]:
    """Return the identities in the trail."""
    arns = [user(n).arn for n in range(USERS)] + [role(n) for n in range(ROLES)]
    for arn in arns:
        name, kind = arn.rpartition("/")[2], "user" if ":user/" in arn else "role"
        seen = _seen("aws:", arn)
        at = _TAKEN - 90 * _DAY
        yield Identity(
            IdentityId(arn), f"aws-{kind}", name, ACCOUNT, "", (), at, 0, seen
        )


def agents(users: Sequence[Identity], seed: int) -> Facts:
    """Generate agents; each tool holds a user's key, those of the trail first."""
    chance = random.Random(seed)
    made: list[Agent] = []
    tools: list[Tool] = []
    keys: list[Credential] = []
    links: list[CredentialLink] = []
    evidence: list[OwnerEvidence] = []
    for number in range(AGENTS):
        home = f"/home/p{number % PERSONS:04}"
        key = agent_id("claude-code", f"p{number % PERSONS:04}-{number}")
        seen = _seen(f"home:{home}", f"{home}/.claude.json")
        made.append(_agent(key, number, home, seen))
        evidence.append(_of_home(key, _person(number % PERSONS), seen))
        for nth in range(TOOLS):
            at = number * TOOLS + nth
            caller = user(at).arn if at < USERS else chance.choice(users).id
            credential, link = _key(at, caller, home)
            tools.append(
                _tool(
                    tool_id(f"server-{chance.randrange(300)}"), key, credential.id, seen
                )
            )
            keys.append(credential)
            links.append(link)
    return Facts(
        agents=tuple(made),
        tools=tuple(tools),
        credentials=tuple(keys),
        links=tuple(links),
        evidence=tuple(evidence),
    )


def _agent(key: AgentId, number: int, home: str, seen: Seen) -> Agent:
    return Agent(
        id=key,
        kind="claude-code",
        name=f"assistant-{number:04}",
        place=seen.place,
        scope=f"home:{home}",
        parent=None,
        unattended=number % 7 == 0,
        known=Known.DECLARED,
        runs_as=(),
        note="",
        facts=(),
        seen=seen,
    )


def _of_home(key: AgentId, person: PersonId, seen: Seen) -> OwnerEvidence:
    return OwnerEvidence(
        key, person, EvidenceKind.HOME, seen.place, f"home {seen.place}", True, seen
    )


def _tool(key: ToolId, agent: AgentId, credential: CredentialId, seen: Seen) -> Tool:
    server = key.split("/")[1]
    target = f"npx -y @corp/{server}"
    return Tool(key, agent, server, "stdio", target, True, False, (credential,), seen)


def _key(at: int, arn: str, home: str) -> tuple[Credential, CredentialLink]:
    key = aws_credential_id(access_key_id(ACCOUNT, f"{at}-{arn}"))
    if at < USERS:  # the key that the trail knows
        key = aws_credential_id(user(at).key)
    place = f"{home}/.claude.json#/mcpServers/{at}/env/AWS_ACCESS_KEY_ID"
    seen = _seen(f"home:{home}", place)
    credential = Credential(
        id=key,
        kind="aws-access-key",
        cls=CredentialClass.LITERAL,
        lifetime=Lifetime.STATIC,
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


def facts(identities: int, seed: int) -> Facts:
    """Generate the facts of a scan."""
    made = organization(identities, seed, load(), resources=identities // 2).facts
    who = (*made.identities, *trail_identities())
    users = [each for each in who if each.kind == "aws-user"]
    acting = agents(users, seed)
    return replace(
        made,
        persons=tuple(persons()),
        agents=acting.agents,
        tools=acting.tools,
        credentials=acting.credentials,
        links=acting.links,
        identities=who,
        evidence=(*owned(who, seed), *acting.evidence),
    )


def make(folder: Path, identities: int, events: int, seed: int) -> Path:
    """Write the store; return its folder."""
    store = folder / "store"
    shutil.rmtree(store, ignore_errors=True)
    folder.mkdir(parents=True, exist_ok=True)
    trail = folder / "trail"
    if not trail.is_dir():
        write_trail(trail, events, seed)
    answerable("--store", str(store), "ingest", f"cloudtrail:{trail}")
    snapshot(store, identities, seed)
    return store


def snapshot(store: Path, identities: int, seed: int) -> None:
    """Write a scan of everything into a store."""
    now = time.time_ns()
    with Store.open(store, now=now, create=False) as opened:
        sync = Sync(
            source="aws:account.json",
            connector="aws",
            started_at=now,
            facts=facts(identities, seed),
            collected=tuple(sorted(COLLECTED)),
        )
        save(opened, [sync], now)


if __name__ == "__main__":
    place, size, count, number = sys.argv[1:5]
    sys.stdout.write(f"{make(Path(place), int(size), int(count), int(number))}\n")
