from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.connectors import registry
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe, Sync
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import NOW
from tests.usecases.connector_stub import ConnectorStub


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        yield opened


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> ConnectorStub:
    """Play the part of every inventory connector; what is said is set by the test."""
    stage = ConnectorStub()

    class Actor:
        def __init__(self, name: str) -> None:
            self.name = name

        def sync(self, location: str, context: SyncContext) -> Sync:
            return stage.sync(self.name, location, context)

        def where(self, location: str) -> tuple[Probe, ...]:
            return (Probe(location or "live", "everything", found=None),)

    def actor(name: str) -> Actor:
        assert registry.find_connector(name).spec.gives == registry.INVENTORY
        return Actor(name)

    monkeypatch.setattr(
        "answerable.connectors.registry.load_inventory_connector", actor
    )
    return stage
