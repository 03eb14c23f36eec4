"""Batches of a file are joined after their rows are encoded; those of two are not."""

from dataclasses import fields, replace

from answerable.connectors.encoded_batches import encode_batches
from answerable.evidence.canonical_event import decode_event
from answerable.model.connector import EventBatch
from answerable.model.coverage import ReadProblem, ReadProblemKind
from answerable.model.event import AuditEvent, EventOutcome, QuarantinedRecord
from answerable.model.ids import build_event_id
from answerable.model.log_position import FilePosition
from answerable.model.provenance import WrittenBy

_AT = 1_770_000_000 * 10**9


def _make_batch(place: str, numbers: range, resource: str = "") -> EventBatch:
    events = [
        AuditEvent(
            build_event_id(_AT + n, "cloudtrail", "1", b"%d" % n),
            _AT + n,
            "cloudtrail",
            "1",
            WrittenBy.PLATFORM,
            bytes(32),
            "s3:GetObject",
            EventOutcome.SUCCESS,
            resource=resource,
        )
        for n in numbers
    ]
    rows = tuple(tuple(getattr(e, f.name) for f in fields(e)) for e in events)
    return EventBatch(place, rows, (), numbers.stop, 0)  # type: ignore[arg-type]  # rows


def _list_times(batch: EventBatch) -> list[int]:
    return [decode_event(each.record).event_time - _AT for each in batch.encoded]


def test_batches_of_a_file_are_joined_up_to_a_number_of_events() -> None:
    batches = [_make_batch("a", range(n, n + 10)) for n in range(0, 50, 10)]
    found = list(encode_batches(batches, 7, 20))
    assert [_list_times(each) for each in found] == [
        list(range(20)),
        list(range(20, 40)),
        list(range(40, 50)),
    ]
    assert [each.done_bytes for each in found] == [20, 40, 50]
    assert [sum(n for n, _ in each.encoded.fields) for each in found] == [20, 20, 10]


def test_batches_of_two_files_are_not_joined() -> None:
    batches = [_make_batch("a", range(3)), _make_batch("b", range(3, 5))]
    found = list(encode_batches(batches, 7, 100))
    assert [(each.place, len(each.encoded)) for each in found] == [("a", 3), ("b", 2)]


def test_large_batches_are_not_joined() -> None:
    batches = [_make_batch("a", range(n, n + 2), "x" * (1 << 20)) for n in (0, 2, 4)]
    found = list(encode_batches(batches, 7, 100))
    assert [len(each.encoded) for each in found] == [2, 2, 2]


def test_refusals_problems_and_positions_of_joined_batches_are_kept() -> None:
    refused = QuarantinedRecord("a", 0, "not JSON", b"{")
    problem = ReadProblem(ReadProblemKind.INVALID, "a", "1 of 5 records")
    end = {"a": FilePosition(1)}
    first = replace(_make_batch("a", range(3)), quarantined=(refused,), skipped=("x",))
    last = replace(
        _make_batch("a", range(3, 5)),
        quarantined=(refused,),
        skipped=("y",),
        problems=(problem,),
        positions=end,
    )
    (found,) = encode_batches([first, last], 7, 100)
    assert found.quarantined == (refused, refused)
    assert (found.skipped, found.problems) == (("x", "y"), (problem,))
    assert (found.positions, found.events) == (end, ())
    assert _list_times(found) == [0, 1, 2, 3, 4]


def test_skipped_and_refused_records_fill_a_batch() -> None:
    batch = replace(_make_batch("a", range(0)), skipped=("digest",) * 6)
    found = list(encode_batches([batch] * 4, 7, 12))
    assert [len(each.skipped) for each in found] == [12, 12]
