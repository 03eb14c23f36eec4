"""Store cache over a store in which Ana answers for one agent, and Ben for another."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from answerable.web.store_cache import StoreCache
from tests.usecases.owned_store import create_owned_store
from tests.web.signing.owner_store import FrozenStoreCache


@pytest.fixture(autouse=True)
def _quick_disk(monkeypatch: pytest.MonkeyPatch) -> None:
    """Leave out what only matters when the power fails."""
    monkeypatch.setattr("os.fsync", lambda handle: None)
    monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(scope="session")
def owner_store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store in which Ana answers for one agent, and Ben for another."""
    return create_owned_store(tmp_path_factory.mktemp("owned") / "store")


@pytest.fixture
def desk(owner_store: Path, tmp_path: Path) -> Iterator[StoreCache]:
    shutil.copytree(owner_store, tmp_path / "store")
    desk = FrozenStoreCache(tmp_path / "store", None, (tmp_path / "spool",))
    yield desk
    desk.close()
