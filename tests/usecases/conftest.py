import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.connectors import registry
from answerable.model.connector import SyncContext
from answerable.model.sighting import Probe, Sync
from answerable.store.store import EvidenceStore
from tests.inventory.fact_builders import NOW
from tests.usecases.connector_stub import ConnectorStub
from tests.usecases.owned_store import create_owned_store


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        yield opened


@pytest.fixture
def stage(monkeypatch: pytest.MonkeyPatch) -> ConnectorStub:
    """Stand-in for every inventory connector; the test sets its answer."""
    stage = ConnectorStub()

    class Actor:
        def __init__(self, name: str) -> None:
            self.name = name

        def sync(self, location: str, context: SyncContext) -> Sync:
            return stage.sync(self.name, location, context)

        def list_locations_to_read(self, location: str) -> tuple[Probe, ...]:
            return (Probe(location or "live", "everything", found=None),)

    def actor(name: str) -> Actor:
        assert registry.find_connector(name).spec.gives == registry.INVENTORY
        return Actor(name)

    monkeypatch.setattr(
        "answerable.connectors.registry.load_inventory_connector", actor
    )
    return stage


@pytest.fixture
def quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Do not flush to disk, as no power failure is tested."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which Ana answers for one agent, and Ben for another."""
    return create_owned_store(tmp_path_factory.mktemp("made") / "store")


@pytest.fixture
def owned(made: Path, tmp_path: Path) -> Iterator[EvidenceStore]:
    """Copy of the store in which Ana answers for one agent, and Ben for another."""
    shutil.copytree(made, tmp_path / "owned")
    with EvidenceStore.open(tmp_path / "owned", now=NOW) as store:
        yield store
