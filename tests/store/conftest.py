"""A store in a folder of its own, and events to put into it."""

import hashlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.model.event import AuditEvent, Outcome
from answerable.model.ids import event_id
from answerable.model.written import WrittenBy
from answerable.store import disk
from answerable.store.store import Store

T0 = 1_700_000_000_000_000_000
NOW = 1_800_000_000_000_000_000
Make = Callable[..., AuditEvent]


def _make(number: int, **changes: Any) -> AuditEvent:
    """Make one event a second, from 2023-11-14T22:13:20Z on."""
    at = changes.pop("event_time", T0 + number * 1_000_000_000)
    native = changes.pop("native", f"native-{number}")
    raw = changes.pop("raw", native)
    fields: dict[str, Any] = {
        "event_id": event_id(at, "cloudtrail", "123456789012", native.encode()),
        "event_time": at,
        "source": "cloudtrail",
        "scope": "123456789012",
        "written_by": WrittenBy.PLATFORM,
        "raw_sha256": hashlib.sha256(raw.encode()).digest(),
        "action": "s3:GetObject",
        "outcome": Outcome.SUCCESS,
        "native_id": native,
        "identity": f"arn:aws:iam::123456789012:role/role-{number % 3}",
        "resource": f"arn:aws:s3:::warehouse/{number}",
        "facts": (("region", "eu-west-1"), ("self:userAgent", "cli")),
    }
    return AuditEvent(**{**fields, **changes})


@pytest.fixture(scope="session")
def make() -> Make:
    return _make


@pytest.fixture(scope="session")
def now() -> int:
    return NOW


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return tmp_path / "store"


@pytest.fixture
def store(place: Path) -> Iterator[Store]:
    with Store.open(place, now=NOW) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _quick_disk(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Leave out what only matters when the power fails; tests/store/test_durable.py."""
    if "durable" not in request.node.nodeid:
        monkeypatch.setattr("os.fsync", lambda handle: None)
        monkeypatch.setattr("os.fdatasync", lambda handle: None)


@pytest.fixture(autouse=True)
def _no_hook() -> Iterator[None]:
    yield
    disk.hook = None
