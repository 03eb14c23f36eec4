"""People with owner keys, their agents, and the statements they sign in a store."""

from pathlib import Path

from answerable.evidence.signed_note import derive_verifier_key
from answerable.model.documents.owners import OwnershipItem
from answerable.model.ids import AgentId, PersonId, build_person_id
from answerable.model.sighting import SightedFacts, Sync
from answerable.services.inventory import snapshots
from answerable.services.statements import key_enrolment
from answerable.services.statements.owner_keys import LocalSigner
from answerable.store.store import EvidenceStore
from answerable.usecases.inventory import ownership
from tests.inventory.fact_builders import DAY, NOW, agent, human
from tests.inventory.stored_scans import save

AGENTS = tuple(AgentId(f"agent:declared/{n}") for n in ("one", "two", "three"))
ANA, BEN = build_person_id("ana@corp.example"), build_person_id("ben@corp.example")


def signer(letter: str) -> LocalSigner:
    seed = letter.encode() * 32
    return LocalSigner(derive_verifier_key("key", seed).raw, seed)


A, B = signer("a"), signer("b")
OF = {ANA: A, BEN: B}


def scan(store: EvidenceStore, *gone: str, at: int = NOW) -> None:
    persons = tuple(
        human(name, name.partition("@")[0], alive=name not in gone)
        for name in ("ana@corp.example", "ben@corp.example")
    )
    agents = tuple(agent(each.removeprefix("agent:")) for each in AGENTS)
    facts = SightedFacts(agents=agents, persons=persons)
    save(store, [Sync("people:p", "people", at, facts)], at)


def enroll(
    store: EvidenceStore,
    key: LocalSigner,
    person: PersonId,
    *,
    at: int = NOW,
    days: int = 365,
) -> None:
    key_enrolment.enroll_owner_key(
        store,
        key.public,
        person,
        valid_from=at,
        valid_until=at + days * DAY,
        uid=1000,
        now=at,
    )


def attest(
    store: EvidenceStore,
    key: LocalSigner = A,
    person: str = ANA,
    subject: str = AGENTS[0],
    at: int = NOW,
) -> OwnershipItem:
    inventory = snapshots.load_inventory(store)
    document = ownership.attest_signed(store, inventory, subject, person, key, now=at)
    (item,) = document.items
    return item  # type: ignore[return-value]  # of that kind


HOUR = 3600 * 10**9
AGENT = AgentId("agent:declared/one")
OTHER = AgentId("agent:declared/two")


def create_owned_store(root: Path) -> Path:
    with EvidenceStore.open(root, now=NOW) as store:
        scan(store)
        enroll(store, A, ANA)
        enroll(store, B, BEN)
        attest(store, A, ANA, AGENT)
        attest(store, B, BEN, OTHER)
    return root
