"""Recorded days, regions and data events of each log, as its stored events show."""

import pytest

from answerable.cli.render.documents import render_document
from answerable.cli.render.screen import Screen
from answerable.model.time_units import DAY_NS
from answerable.presentation.coverage_text import (
    build_coverage_line_parts,
    list_full_coverage,
)
from answerable.services.lineage.log_data_coverage import describe_recorded_logs
from answerable.services.lineage.trace_rows import TraceQuery
from answerable.store import recorded_days
from answerable.store.event_queries import END_OF_TIME
from answerable.store.recorded_days import read_recorded_days
from answerable.store.store import EvidenceStore
from answerable.usecases.lineage.compare_windows import list_first_seen
from answerable.usecases.lineage.count_events import count_by_fields
from answerable.usecases.lineage.trace import trace_events
from answerable.usecases.operations.doctor import _check_recorder_gaps
from tests.lineage.conftest import NOW, keep, made
from tests.lineage.test_trace_windows import LATER, TODAY, on


def test_a_log_is_described_by_its_stored_events(store: EvidenceStore) -> None:
    data = (("category", "Data"), ("region", "us-east-1"))
    keep(store, [on(4), on(2), on(2, 1, facts=data, action="s3:GetObject")])
    keep(store, [on(2, source="otel", written_by="self-reported")])
    found = describe_recorded_logs(store, TODAY)
    assert list(found) == ["cloudtrail"]
    assert found["cloudtrail"].startswith("111122223333: 2026-11-02 to 2026-11-04, ")
    assert "1 day without events, newest event 2 days ago" in found["cloudtrail"]
    assert found["cloudtrail"].endswith(
        "regions eu-west-1, us-east-1; data events of s3"
    )


def test_compared_windows_say_which_days_were_recorded(store: EvidenceStore) -> None:
    keep(store, [on(3), on(1)])
    coverage = list_first_seen(store, LATER, "action", None, now=NOW).coverage
    (log,) = coverage["recorded"]
    assert (log["account"], log["days"], log["days_without"]) == (
        "cloudtrail 111122223333",
        2,
        1,
    )
    assert log["regions"][0]["region"] == "eu-west-1"


def test_a_missing_number_of_a_recorder_is_a_failed_check(
    store: EvidenceStore,
) -> None:
    assert list(_check_recorder_gaps(store)) == []
    usual = {"source": "gateway", "written_by": "mediator", "recorder": "g"}
    keep(store, [made(1, **usual, sequence=1), made(2, **usual, sequence=2)])
    (fine,) = _check_recorder_gaps(store)
    assert fine["ok"]
    keep(store, [made(3, **usual, sequence=9)])
    (item,) = _check_recorder_gaps(store)
    assert not item["ok"]
    assert item["detail"].startswith("1 gaps")


def test_an_answer_says_what_the_logs_recorded_in_its_time(
    store: EvidenceStore,
) -> None:
    data = (("category", "Data"), ("region", "us-east-1"))
    keep(store, [on(4), on(2), on(2, 1, facts=data, action="s3:GetObject")])
    usual = {"source": "gateway", "written_by": "mediator", "recorder": "g"}
    keep(store, [made(1, **usual, sequence=1), made(2, **usual, sequence=4)])
    coverage = trace_events(store, TraceQuery(), now=NOW).coverage
    logs = {each["account"]: each for each in coverage["recorded"]}
    assert set(logs) == {"cloudtrail 111122223333", "gateway 111122223333"}
    trail = logs["cloudtrail 111122223333"]
    assert (trail["days"], trail["days_without"]) == (2, 1)
    assert coverage["data_events"] == {"111122223333": ["s3"]}
    assert coverage["record_gaps"] == 1
    lines = list_full_coverage(coverage)
    assert "recorded: data events of s3 in 111122223333" in lines
    assert "missing: 1 gaps in the record numbers of gateways" in lines
    assert any(line.startswith("never in cloudtrail: data events") for line in lines)
    query = TraceQuery(until=on(3).event_time)
    late = trace_events(store, query, now=NOW).coverage
    assert late["data_events"] == {"111122223333": []}
    assert late["recorded"][0]["days"] == 1


def test_recorded_days_of_segments_are_those_of_their_rows(
    store: EvidenceStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = (("category", "Data"), ("region", "us-east-1"))
    keep(store, [on(4), on(2), on(2, 1, facts=data, action="s3:GetObject")])
    keep(store, [on(3), on(3, 2, source="otel", written_by="self-reported")])
    keep(store, [on(5, facts=data, action="kms:Decrypt")])
    store.seal(now=NOW)
    starts = [0, on(2).event_time, on(3).event_time // DAY_NS * DAY_NS]
    spans = [(at, end) for at in starts for end in (END_OF_TIME, on(4).event_time + 1)]

    def read() -> list[object]:
        found = [read_recorded_days(store, *span) for span in spans]
        return [list(each.items()) for each in found]

    for more in ([], [on(6)]):  # the second is not in a segment yet
        keep(store, more)
        by_segment = read()
        with monkeypatch.context() as patch:
            patch.setattr(recorded_days, "list_days_of_segments", lambda *_: None)
            assert read() == by_segment
    whole = read_recorded_days(store, 0, END_OF_TIME)
    assert {len(days) for days in whole.values()} == {1, 4}


def test_a_listed_event_with_different_records_is_a_conflict(
    store: EvidenceStore,
) -> None:
    plain = made(1, source_ip="192.0.2.1", raw_sha256=b"\1" * 32)
    keep(store, [plain, made(2)])
    assert "conflicts" not in trace_events(store, TraceQuery(), now=NOW).coverage
    other = made(1, source_ip="192.0.2.2", raw_sha256=b"\2" * 32, action="s3:PutObject")
    keep(store, [other])
    for query in (TraceQuery(), TraceQuery(action="s3:PutObject")):
        document = trace_events(store, query, now=NOW)
        assert document.coverage["conflicts"] == [plain.event_id.hex()]
        said = build_coverage_line_parts(document.coverage)
        assert "1 event has records with different content" in said
        lines = list(render_document(document, Screen(400), NOW))
        marked = f"conflict: event {plain.event_id.hex()} has records"
        assert sum(line.startswith(marked) for line in lines) == 1
    counted = count_by_fields(store, TraceQuery(), "source", now=NOW)
    assert counted.coverage["conflicts"] == [plain.event_id.hex()]
    later = TraceQuery(since=plain.event_time + DAY_NS)
    assert "conflicts" not in count_by_fields(store, later, "source", now=NOW).coverage


def test_a_log_with_events_in_the_future_is_named(store: EvidenceStore) -> None:
    keep(store, [made(1), made(2)])
    assert "clocks_ahead" not in trace_events(store, TraceQuery(), now=NOW).coverage
    ahead = NOW + 9_000 * DAY_NS
    keep(store, [made(3, event_time=ahead)])
    coverage = trace_events(store, TraceQuery(), now=NOW).coverage
    (said,) = coverage["clocks_ahead"]
    assert said.startswith("cloudtrail")
    assert f"clock ahead: {said}" in build_coverage_line_parts(coverage)


def test_a_log_whose_account_has_its_own_name_is_named_once(
    store: EvidenceStore,
) -> None:
    keep(store, [made(3, event_time=NOW + 9_000 * DAY_NS, source="okta", scope="okta")])
    coverage = trace_events(store, TraceQuery(), now=NOW).coverage
    assert coverage["clocks_ahead"][0].startswith("okta: ")
    assert coverage["recorded"][0]["account"] == "okta"
