"""A store in which Ana answers for one agent, and Ben for another."""

from pathlib import Path

from answerable.model.ids import AgentId
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import NOW
from tests.usecases.test_attested_owners import ANA, BEN, A, B, attest, enroll, scan

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
