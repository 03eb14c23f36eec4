"""Two runs that ingest the same logs at once: each event is new to one of them."""

import json
from pathlib import Path
from typing import Any

import pytest

from answerable.store import store as store_module
from answerable.store.deduplication import KnownEventIds
from answerable.store.store import EvidenceStore
from answerable.store.store_layout import StoreLayout
from answerable.usecases.evidence.ingest_logs import ingest_logs
from answerable.usecases.evidence.store_life import compact_store

NOW = 1_764_547_200_000_000_000  # 2025-12-01


def write_trail(path: Path, numbers: range) -> str:
    """Write a CloudTrail file with a record for each number."""
    records = [
        {
            "eventVersion": "1.08",
            "eventID": f"00000000-0000-4000-8000-{number:012}",
            "eventTime": "2025-11-30T10:00:00Z",
            "eventSource": "s3.amazonaws.com",
            "eventName": "GetObject",
            "awsRegion": "eu-west-1",
            "recipientAccountId": "111122223333",
            "userIdentity": {
                "type": "IAMUser",
                "arn": "arn:aws:iam::111122223333:user/ada",
                "accountId": "111122223333",
                "userName": "ada",
            },
        }
        for number in numbers
    ]
    path.write_text(json.dumps({"Records": records}))
    return f"cloudtrail:{path}"


@pytest.mark.parametrize("overlap", [0, 3, 9])
def test_each_event_is_new_to_one_run(tmp_path: Path, overlap: int) -> None:
    first = write_trail(tmp_path / "first.json", range(1, 10))
    other = write_trail(tmp_path / "other.json", range(10 - overlap, 19 - overlap))
    known = write_trail(tmp_path / "known.json", range(1))
    counts: list[tuple[int, int]] = []

    def run(store: EvidenceStore, source: str) -> None:
        (item,) = ingest_logs(store, [source], now=NOW).items
        counts.append((int(item["stored"]), int(item["duplicate"])))

    root = tmp_path / "store"
    with (
        EvidenceStore.open(root, now=NOW) as one,
        EvidenceStore.open(root, now=NOW) as two,
    ):
        for store in (one, two):  # each knows the events of the day so far
            run(store, known)
        # The other run begins and ends after this one's append, before its seal.
        (item,) = ingest_logs(
            one,
            [first],
            now=NOW,
            cursor={},
            keep_positions=lambda _: run(two, other),
        ).items
        counts.append((int(item["stored"]), int(item["duplicate"])))
        (total,) = one.run_query("SELECT count(*) FROM events")
    assert counts == [(1, 0), (0, 1), (9, 0), (9 - overlap, overlap)]
    assert total == (sum(stored for stored, _ in counts),)


def test_events_of_a_full_journal_are_new_to_one_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The other run begins and ends before this one seals its full journal."""
    source = write_trail(tmp_path / "trail.json", range(9))
    append = KnownEventIds.append_new_events
    others: list[tuple[object, object]] = []

    def append_before_other(known: KnownEventIds, *given: Any) -> None:
        append(known, *given)
        monkeypatch.setattr(KnownEventIds, "append_new_events", append)
        (item,) = ingest_logs(two, [source], now=NOW).items
        others.append((item["stored"], item["duplicate"]))

    root = tmp_path / "store"
    with (
        EvidenceStore.open(root, now=NOW) as one,
        EvidenceStore.open(root, now=NOW) as two,
    ):
        ingest_logs(two, [write_trail(tmp_path / "known.json", range(1))], now=NOW)
        monkeypatch.setattr(store_module, "MAX_JOURNAL_RECORDS", 1)
        monkeypatch.setattr(KnownEventIds, "append_new_events", append_before_other)
        (item,) = ingest_logs(one, [source], now=NOW).items
        (total,) = one.run_query("SELECT count(*) FROM events")
    assert total == (9,)
    assert others
    assert item["stored"] + sum(int(str(n)) for n, _ in others) == 8


@pytest.mark.parametrize("step", ["has_segment_file", "segment_file"])
def test_events_are_known_whose_segments_are_compacted_meanwhile(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    sources = [write_trail(tmp_path / f"{n}.json", range(n, n + 3)) for n in (1, 4)]
    every = write_trail(tmp_path / "every.json", range(1, 9))
    root = tmp_path / "store"
    with (
        EvidenceStore.open(root, now=NOW) as one,
        EvidenceStore.open(root, now=NOW) as two,
    ):
        for source in sources:
            ingest_logs(two, [source], now=NOW)
        original = getattr(StoreLayout, step)
        waiting = [two]

        def compact_first(layout: StoreLayout, *names: str) -> object:
            """Compact before the file of a segment is looked for."""
            if layout is one.layout and waiting:
                done = compact_store(waiting.pop(), now=NOW).items
                assert [each["state"] for each in done] == ["done"]
            return original(layout, *names)

        monkeypatch.setattr(StoreLayout, step, compact_first)
        (item,) = ingest_logs(one, [every], now=NOW).items
        assert not waiting
    assert (item["stored"], item["duplicate"]) == (2, 6)
