"""A project with one configuration of each kind, and a keyed fingerprint."""

import hashlib
import hmac
import shutil
from pathlib import Path

import pytest

from answerable.connectors.repo.fetch import sync
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync


@pytest.fixture(scope="session")
def context() -> SyncContext:
    def fingerprint(value: str) -> str:
        return hmac.new(b"test", value.encode(), hashlib.sha256).hexdigest()[:24]

    return SyncContext(now=1_800_000_000_000_000_000, fingerprint=fingerprint)


@pytest.fixture(scope="session")
def shop(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A copy outside every home: a checkout in one would belong to its person."""
    return shutil.copytree(
        root / "tests" / "data" / "repo" / "shop",
        tmp_path_factory.mktemp("projects") / "shop",
    )


@pytest.fixture(scope="session")
def synced(shop: Path, context: SyncContext) -> Sync:
    return sync(str(shop), context)
