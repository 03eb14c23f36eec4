"""What requests turned away are told apart by, however many there are."""

from answerable.server.recording.refusal_counts import (
    MAX_REASONS,
    OTHER_REASON,
    RefusalCounts,
)


def test_reasons_without_end_are_one_reason() -> None:
    away = RefusalCounts()
    for number in range(1000):
        away.count_refusal(f"no-rule: {number}", "", "", "")
    counts = away.take_counts()
    assert len(counts) == MAX_REASONS + 1
    assert {each.why: count for each, count in counts.items()}[OTHER_REASON] == (
        1000 - MAX_REASONS
    )
    away.count_refusal("no-rule: 999", "", "", "")
    assert [each.why for each in away.take_counts()] == ["no-rule: 999"]
