"""What requests turned away are told apart by, however many there are."""

from answerable.server.recording.refusal_counts import MOST_WHYS, OTHER, TurnedAway


def test_reasons_without_end_are_one_reason() -> None:
    away = TurnedAway()
    for number in range(1000):
        away.count(f"no-rule: {number}", "", "", "")
    counts = away.take()
    assert len(counts) == MOST_WHYS + 1
    assert {each.why: count for each, count in counts.items()}[OTHER] == (
        1000 - MOST_WHYS
    )
    away.count("no-rule: 999", "", "", "")
    assert [each.why for each in away.take()] == ["no-rule: 999"]
