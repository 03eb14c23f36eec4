"""A store in a folder of its own, and events to put into it."""

import hashlib
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from answerable.model.errors import EnvironmentFailure
from answerable.model.event import AuditEvent, EventOutcome, QuarantinedRecord
from answerable.model.ids import build_event_id
from answerable.model.progress import ignore_progress_report
from answerable.model.provenance import WrittenBy
from answerable.store import durable_files, fsck
from answerable.store.store import EvidenceStore

T0 = 1_700_000_000_000_000_000
NOW = 1_800_000_000_000_000_000
Make = Callable[..., AuditEvent]
ROWS = 40


def _make(number: int, **changes: Any) -> AuditEvent:
    """Make one event a second, from 2023-11-14T22:13:20Z on."""
    at = changes.pop("event_time", T0 + number * 1_000_000_000)
    native = changes.pop("native", f"native-{number}")
    raw = changes.pop("raw", native)
    fields: dict[str, Any] = {
        "event_id": build_event_id(at, "cloudtrail", "123456789012", native.encode()),
        "event_time": at,
        "source": "cloudtrail",
        "scope": "123456789012",
        "written_by": WrittenBy.PLATFORM,
        "raw_sha256": hashlib.sha256(raw.encode()).digest(),
        "action": "s3:GetObject",
        "outcome": EventOutcome.SUCCESS,
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
def store(place: Path) -> Iterator[EvidenceStore]:
    with EvidenceStore.open(place, now=NOW) as opened:
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
    durable_files.crash_hook = None


@pytest.fixture(scope="session")
def whole(make: Make, now: int, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store with two segments, a journal, objects and kept records."""
    place = tmp_path_factory.mktemp("whole") / "store"
    with EvidenceStore.open(place, now=now) as store:
        store.append([make(number) for number in range(ROWS)], now)
        store.put_object("sync", b'{"a":1}', now)
        store.seal(now)
        store.append([make(number) for number in range(ROWS, ROWS + 5)], now)
        store.quarantine([QuarantinedRecord("a.json", 0, "no time", b"raw")], now)
        store.seal(now)
        store.append([make(number) for number in range(100, 110)], now)
        store.append([make(number) for number in range(110, 113)], now)
    return place


@pytest.fixture
def copied(whole: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(whole, tmp_path / "store"))


def wrong(place: Path, exported: bytes | None = None) -> list[str]:
    try:
        with EvidenceStore.open(place, now=0, create=False) as store:
            checks = fsck.verify_store(store, exported, None, ignore_progress_report)
    except EnvironmentFailure as error:
        return [error.message]
    return [check.detail for check in checks if not check.ok]


def only(place: Path, pattern: str) -> Path:
    return sorted(place.glob(pattern))[0]
