"""One account as files, and how to read them."""

from collections.abc import Callable
from pathlib import Path

import pytest

from answerable.connectors.aws import fetch
from answerable.model.connector import SyncContext
from answerable.model.sighting import Sync

NOW = 1_790_000_000_000_000_000


@pytest.fixture
def context() -> SyncContext:
    return SyncContext(NOW, lambda value: "0" * 24)


@pytest.fixture(scope="session")
def data(root: Path) -> Path:
    return root / "tests" / "data" / "aws"


@pytest.fixture
def account(data: Path, context: SyncContext) -> Sync:
    return fetch.sync(str(data / "account.json"), context)


@pytest.fixture
def read(tmp_path: Path, context: SyncContext) -> Callable[[bytes], Sync]:
    """Write bytes to a file and read it as account details."""

    def _read(content: bytes) -> Sync:
        path = tmp_path / "details.json"
        path.write_bytes(content)
        return fetch.sync(str(path), context)

    return _read
