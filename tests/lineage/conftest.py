import shutil
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import cast

import pytest

from answerable.model.documents.trace import TraceItem
from answerable.model.event import AuditEvent, EventOutcome
from answerable.model.ids import build_event_id
from answerable.model.provenance import WrittenBy
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.lineage.trace import trace_events

DATA = Path(__file__).parents[1] / "data" / "cloudtrail"
NOW = 1_794_000_000_000_000_000
ACCOUNT = "111122223333"

Make = Callable[..., AuditEvent]


@pytest.fixture(scope="session")
def ingested_day(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A store of the hand-written day, to copy."""
    place = tmp_path_factory.mktemp("day") / "store"
    with EvidenceStore.open(place, now=NOW) as opened:
        ingest_logs(opened, [f"cloudtrail:{DATA / 'day.json'}"], now=NOW)
    return place


@pytest.fixture
def store(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[EvidenceStore]:
    if "day" in request.fixturenames:
        shutil.copytree(request.getfixturevalue("ingested_day"), tmp_path / "store")
    with EvidenceStore.open(tmp_path / "store", now=NOW) as opened:
        yield opened


@pytest.fixture
def day(store: EvidenceStore) -> EvidenceStore:
    """The hand-written day, ingested."""
    return store


def made(number: int, **fields: object) -> AuditEvent:
    """One small event; the number sets its time and id."""
    at = NOW - 10**12 + number * 10**9
    usual: dict[str, object] = {
        "event_id": build_event_id(at, "cloudtrail", ACCOUNT, str(number).encode()),
        "event_time": at,
        "source": "cloudtrail",
        "scope": ACCOUNT,
        "written_by": WrittenBy.PLATFORM,
        "raw_sha256": number.to_bytes(32, "big"),
        "action": "s3:GetObject",
        "outcome": EventOutcome.SUCCESS,
    }
    return AuditEvent(**(usual | fields))  # type: ignore[arg-type]  # small test events


def keep(store: EvidenceStore, events: Sequence[AuditEvent]) -> None:
    store.append(events, NOW)


def ask(store: EvidenceStore, **asked: object) -> list[TraceItem]:
    document = trace_events(store, TraceQuery(**asked), now=NOW)  # type: ignore[arg-type]
    return cast("list[TraceItem]", list(document.items))
