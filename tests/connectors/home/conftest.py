"""A home that holds one configuration of each client, and a keyed fingerprint."""

import hashlib
import hmac
from pathlib import Path

import pytest

from answerable.connectors.home.fetch import sync
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync


@pytest.fixture(scope="session")
def context() -> SyncContext:
    def fingerprint(value: str) -> str:
        return hmac.new(b"test", value.encode(), hashlib.sha256).hexdigest()[:24]

    return SyncContext(now=1_800_000_000_000_000_000, fingerprint=fingerprint)


@pytest.fixture(scope="session")
def ana(root: Path) -> Path:
    return root / "tests" / "data" / "home" / "ana"


@pytest.fixture(scope="session")
def synced(ana: Path, context: SyncContext) -> Sync:
    return sync(str(ana), context)
