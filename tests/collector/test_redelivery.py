"""Deliveries that are repeated, and a collector that is killed at random moments.

Senders deliver spans and audit events over HTTP, also twice and in overlapping batches.
Some records are invalid, and some bodies. After each kill, all acknowledged records are
in the store; at the end, each record is there once, and each invalid one in quarantine.
"""

import asyncio
import json
import random
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest

from answerable.collector.receivers.record_writer import (
    Delivery,
    DeliveryResult,
    RecordWriter,
)
from answerable.connectors import registry
from answerable.connectors.formats.log_format import (
    EventFactory,
    LogFormat,
    LogOptions,
    ParsedRecord,
    RecordParser,
)
from answerable.server.operator_log import OperatorLog
from answerable.store.object_store import read_compressed_object
from answerable.store.store import EvidenceStore
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.evidence.verify_and_prove import verify_evidence
from tests.collector.running_collector import collecting
from tests.collector.test_receivers import (
    CLUSTER_TOKEN,
    SETTINGS,
    TOKEN,
    count_events,
    make_audit_event,
    make_span,
    make_traces,
    post,
    query,
)

SENDERS, KILLS, SEED = 4, 4, 20261130
SPANS, AUDIT_EVENTS, BATCH = 300, 400, 8
POISON = 25  # every 25th record is invalid
RETRYABLE = (429, 503)


@dataclass(frozen=True)
class Batch:
    """A body, its path and credential, and its records.

    Attributes:
        ids: Ids of the valid records.
        quarantined: What is quarantined: each invalid audit event, or the body if a
            span is invalid, since spans are kept by the digest of what was sent.
    """

    path: str
    body: bytes
    token: str
    ids: tuple[str, ...] = ()
    quarantined: tuple[object, ...] = ()


@dataclass
class Senders:
    """Threads that deliver batches until each is acknowledged or refused for good.

    Attributes:
        acknowledged: Ids of the records of answered batches.
        refused: Answers that end the delivery of a batch.
    """

    waiting: list[Batch]
    chance: random.Random
    acknowledged: set[str] = field(default_factory=set)
    refused: Counter[int] = field(default_factory=Counter)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def deliver(self, address: str) -> None:
        """Deliver batches until none waits, or the collector is gone."""
        while True:
            with self.lock:
                if not self.waiting:
                    return
                batch = self.waiting.pop()
                times = self.chance.choice((1, 1, 2))
            try:
                status = 0
                for _ in range(times):
                    status = post(address, batch.path, batch.body, batch.token)[0]
            except OSError:
                status = 0
            with self.lock:
                if status == 200:
                    self.acknowledged.update(batch.ids)
                elif not status or status in RETRYABLE:
                    self.waiting.insert(0, batch)
                else:
                    self.refused[status] += 1
            if not status:
                return


def list_batches(chance: random.Random) -> list[Batch]:
    """List batches in which each record is in two of them, in another order."""
    found: list[Batch] = []
    for count, build in ((SPANS, build_traces), (AUDIT_EVENTS, build_event_list)):
        for _ in range(2):
            order = chance.sample(range(count), count)
            found += [
                build(order[at : at + BATCH]) for at in range(0, len(order), BATCH)
            ]
    found += [Batch("/v1/traces", b'{"resourceSpans": 5}', TOKEN)] * 2
    found += [Batch("/k8s-audit", b"[1, 2", CLUSTER_TOKEN)] * 2
    chance.shuffle(found)
    return found


def build_traces(numbers: Sequence[int]) -> Batch:
    spans = [make_span(n, "root" if n % POISON == 0 else "triage-bot") for n in numbers]
    ids = tuple(f"{n + 1:016x}" for n in numbers if n % POISON)
    body = make_traces(*spans)
    return Batch(
        "/v1/traces", body, TOKEN, ids, (body,) if len(ids) < len(spans) else ()
    )


def build_event_list(numbers: Sequence[int]) -> Batch:
    items = [
        make_audit_event(n) if n % POISON else make_audit_event(n, verb=n)
        for n in numbers
    ]
    body = json.dumps({"kind": "EventList", "items": items}).encode()
    ids = (make_audit_event(n)["auditID"] for n in numbers if n % POISON)
    invalid = tuple(n for n in numbers if n % POISON == 0)
    return Batch("/k8s-audit", body, CLUSTER_TOKEN, tuple(map(str, ids)), invalid)


def list_stored(folder: Path) -> Iterator[str]:
    """List the id of each stored record, as its sender knows it."""
    for source, native in query(folder, "SELECT source, native_id FROM events"):
        first, _, last = str(native).partition("/")
        yield last if source == "otel" else first


def list_quarantined(folder: Path) -> list[str]:
    """List the digest or text of each quarantined record."""
    with EvidenceStore.open(folder / "store", now=1) as store:
        quarantine = store.layout.quarantine
        digests = [each.digest for each in store.list_objects("quarantine")]
    texts = [read_compressed_object(quarantine / each) for each in digests]
    return [kept["raw"] for text in texts for kept in json.loads(text)]


def test_kills_and_repeated_deliveries_store_each_record_once(tmp_path: Path) -> None:
    chance = random.Random(SEED)  # noqa: S311 - moments of a test
    senders = Senders(list_batches(chance), chance)
    expected = {each for batch in senders.waiting for each in batch.ids}
    invalid = {each for batch in senders.waiting for each in batch.quarantined}
    for number in range(KILLS + 1):
        with collecting(tmp_path, SETTINGS) as running:
            threads = [
                threading.Thread(target=senders.deliver, args=(running.receiver,))
                for _ in range(SENDERS)
            ]
            for each in threads:
                each.start()
            if number < KILLS:
                time.sleep(chance.uniform(0.02, 0.5))
                running.process.kill()
            for each in threads:
                each.join()
            missing = senders.acknowledged - set(list_stored(tmp_path))
            assert missing == set()
    assert senders.waiting == []
    assert senders.refused == {400: 4}
    assert senders.acknowledged == expected
    stored = Counter(list_stored(tmp_path))
    assert stored == Counter(expected)
    assert count_events(tmp_path) == len(expected)
    quarantined = Counter(list_quarantined(tmp_path))
    assert len(quarantined) == len(invalid)
    assert set(quarantined.values()) == {1}
    with EvidenceStore.open(tmp_path / "store", now=1) as store:
        assert not verify_evidence(store).failed


def fail_on(mark: bytes, parse: RecordParser) -> RecordParser:
    def parse_or_fail(
        raw: bytes, options: LogOptions, make: EventFactory
    ) -> ParsedRecord | list[ParsedRecord]:
        if mark in raw:
            raise KeyError(mark)
        return parse(raw, options, make)

    return parse_or_fail


@pytest.fixture
def failing_parser(monkeypatch: pytest.MonkeyPatch) -> LogFormat:
    """Let the parser of a log fail on one of its records, by a defect of its own."""
    log = registry.load_log_format("k8s-audit")
    failing = replace(log, parse=fail_on(b"poison", log.parse))
    monkeypatch.setattr(registry, "load_log_format", lambda name: failing)
    monkeypatch.setattr("answerable.connectors.k8s_audit.fetch.FORMAT", failing)
    return failing


POISONED = [
    make_audit_event(n, auditID="poison" if n == 3 else f"a-{n}") for n in range(6)
]


def deliver(folder: Path, *splits: Callable[[], list[bytes]]) -> list[DeliveryResult]:
    """Deliver bodies to a writer in one group."""

    async def write_all() -> list[DeliveryResult]:
        writer = RecordWriter(folder / "store", OperatorLog("test"))
        place = "k8s-audit:sender/prod"
        waiting = [
            asyncio.create_task(
                writer.write(Delivery("k8s-audit", place, {"cluster": "prod"}, split))
            )
            for split in splits
        ]
        await asyncio.sleep(0)
        running = asyncio.create_task(writer.run_forever())
        results = await asyncio.gather(*waiting)
        running.cancel()
        await writer.close()
        return results

    return asyncio.run(write_all())


@pytest.mark.usefixtures("failing_parser")
def test_a_record_on_which_a_parser_fails_is_quarantined_and_the_others_are_stored(
    tmp_path: Path,
) -> None:
    records = [json.dumps(each).encode() for each in POISONED]
    for _ in range(2):
        (result,) = deliver(tmp_path, lambda: records)
        assert (result.received, result.rejected) == (5, 1)
        assert "the parser failed (KeyError)" in result.reason
    assert count_events(tmp_path) == 5
    assert len(list_quarantined(tmp_path)) == 1


@pytest.mark.usefixtures("failing_parser")
def test_a_file_with_a_record_on_which_a_parser_fails_is_read_to_its_end(
    tmp_path: Path,
) -> None:
    place = tmp_path / "audit.log"
    place.write_text("\n".join(map(json.dumps, POISONED)))
    with EvidenceStore.open(tmp_path / "store", now=1) as store:
        told = ingest_logs(store, [f"k8s-audit:{place},cluster=prod"], now=1)
    (item,) = told.items
    assert (item["stored"], item["quarantined"]) == (5, 1)
    assert "the parser failed (KeyError)" in str(told.coverage["sources"])


def test_a_body_that_cannot_be_split_refuses_no_other_delivery(tmp_path: Path) -> None:
    def fail() -> list[bytes]:
        raise TypeError

    good = [json.dumps(make_audit_event(1)).encode()]
    results = deliver(tmp_path, fail, lambda: good)
    assert [(each.invalid, each.received) for each in results] == [
        ("the body cannot be read (TypeError)", 0),
        ("", 1),
    ]
